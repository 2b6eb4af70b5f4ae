/**
 * The score of a target for a caller; the caller goes where it is highest. Without state, every process agrees; a target
 * that leaves gives up its own callers and moves no other's; shares follow the weights. Weighted rendezvous hashing:
 * Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998); weights by Schindelhauer and
 * Schomaker, "Weighted Distributed Hash Tables" (2005).
 */
export function rendezvousScore(affinity: string, target: string, weight: number): number {
  // Half a step away from 0 and 1, where the logarithm has no use.
  const uniform = (Bun.hash.xxHash32(`${affinity}\n${target}`) + 0.5) / 2 ** 32;
  return -weight / Math.log(uniform);
}
