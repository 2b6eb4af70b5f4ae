/** Milliseconds for people: 3.2 ms, 48 ms, 1.24 s; undefined stays so. */
export function formatMs(ms: number): string;
export function formatMs(ms: number | undefined): string | undefined;
export function formatMs(ms: number | undefined): string | undefined {
  if (ms === undefined) return undefined;
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

/** A retrieval score with as many digits as tell neighbours apart. */
export function formatScore(score: number): string {
  return Math.abs(score) >= 10 ? score.toFixed(1) : score.toFixed(3);
}
