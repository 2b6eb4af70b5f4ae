/** Time within which whoever was told that a level is unseeded states what it stood at. */
const SEEDING_MS = 5_000;

/** One level of one process: what has been settled for good, and what open reservations hold. */
export interface Level {
  /** undefined until the level is seeded. */
  settled?: number;
  /** The sum of `holds`. */
  held: number;
  holds?: Map<string, { amount: number; untilMs: number }>;
  /** No lease ends before. */
  nextEndMs: number;
  /** When somebody was told to seed it, and what has been settled since. */
  seedingSinceMs?: number;
  meanwhile: number;
}

export function newLevel(): Level {
  return { held: 0, nextEndMs: Infinity, meanwhile: 0 };
}

/** Settled and held, after holds whose lease has ended are let go. */
export function levelUsed(level: Level, nowMs: number): number {
  if (nowMs >= level.nextEndMs) letGoEnded(level, nowMs);
  return (level.settled ?? 0) + level.held;
}

/** Holds an amount for a reservation, in place of what it held. */
export function hold(level: Level, id: string, amount: number, untilMs: number): void {
  release(level, id);
  level.holds ??= new Map();
  level.holds.set(id, { amount, untilMs });
  level.held += amount;
  level.nextEndMs = Math.min(level.nextEndMs, untilMs);
}

/** Lets a hold go; does nothing where there is none. */
export function release(level: Level, id: string): void {
  const amount = level.holds?.get(id)?.amount;
  if (amount === undefined) return;
  level.held -= amount;
  level.holds?.delete(id);
}

/** Adds to what has been settled; to what was settled meanwhile, where the seed is still being read. */
export function keep(level: Level, amount: number): void {
  if (level.settled !== undefined) level.settled += amount;
  else if (level.seedingSinceMs !== undefined) level.meanwhile += amount;
}

/** From now on what is settled is added to the seed, because whoever reads the history may not see it there. */
export function beginSeeding(level: Level, nowMs: number): void {
  if (level.seedingSinceMs !== undefined && nowMs - level.seedingSinceMs < SEEDING_MS) return;
  level.seedingSinceMs = nowMs;
  level.meanwhile = 0;
}

/** The first seed counts. */
export function seed(level: Level, amount: number): void {
  level.settled ??= amount + level.meanwhile;
}

function letGoEnded(level: Level, nowMs: number): void {
  level.nextEndMs = Infinity;
  for (const [id, { untilMs }] of level.holds ?? []) {
    if (untilMs <= nowMs) release(level, id);
    else level.nextEndMs = Math.min(level.nextEndMs, untilMs);
  }
}
