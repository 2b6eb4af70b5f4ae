/** Code units of text whose tokenising takes a few milliseconds. */
const UNITS_BETWEEN = 30_000;

/**
 * Lets other callers in during long work: told how many code units were just worked through, it returns at once
 * or, every so often, after a turn of the event loop.
 */
export function createPause(): (units: number) => Promise<void> {
  let since = 0;
  return async (units) => {
    since += units;
    if (since < UNITS_BETWEEN) return;
    since = 0;
    await new Promise((resolve) => setImmediate(resolve));
  };
}
