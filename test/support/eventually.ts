const LOOK_EVERY_MS = 2;

/**
 * Waits for an effect: looks until `look` gives something other than undefined, false or an error, and returns it.
 * @throws the last error of `look`, or one that names `what`, after `withinMs` (default 5,000).
 */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 5_000,
): Promise<T> {
  let last: unknown;
  for (const end = performance.now() + withinMs; ;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (thrown) {
      last = thrown;
    }
    if (performance.now() > end) throw last ?? new Error(`It did not come to pass within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
