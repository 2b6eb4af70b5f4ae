/** Code units of text whose tokenising takes a few milliseconds. */
const UNITS_BETWEEN = 30_000;

/** Tells of code units that were just worked through; gives something to wait for every so often, else nothing. */
export type Pause = (units: number) => Promise<void> | undefined;

/** Lets other callers in during long work: what it gives, every so often, is a turn of the event loop. */
export function createPause(): Pause {
  let since = 0;
  return (units) => {
    since += units;
    if (since < UNITS_BETWEEN) return undefined;
    since = 0;
    return new Promise((resolve) => setImmediate(resolve));
  };
}
