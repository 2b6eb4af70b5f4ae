/** What became of one item: the value, or what was thrown. */
export type Settled<T> = { value: T } | { thrown: unknown };

/**
 * Does the work of up to `atOnce` items side by side and tells the outcomes in the order of the items. Work that has
 * begun when the loop is left ends unheard.
 */
export async function* readAhead<I, T>(
  items: readonly I[],
  work: (item: I) => Promise<T>,
  atOnce: number,
): AsyncGenerator<{ item: I; outcome: Settled<T> }> {
  const begun: { item: I; outcome: Promise<Settled<T>> }[] = [];
  let next = 0;
  while (next < items.length || begun.length > 0) {
    for (const item of items.slice(next, next + atOnce - begun.length)) {
      next++;
      const outcome = work(item).then(
        (value): Settled<T> => ({ value }),
        (thrown: unknown): Settled<T> => ({ thrown }),
      );
      begun.push({ item, outcome });
    }
    const first = begun.shift();
    if (first !== undefined) yield { item: first.item, outcome: await first.outcome };
  }
}
