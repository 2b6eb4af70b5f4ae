/**
 * Does work for each item, so many at once, and gives the outcomes in the order of the items. The first failure ends
 * it: nothing new is begun then, and it is thrown once what is under way has ended.
 */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  const done: R[] = [];
  const failures: unknown[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && failures.length === 0) {
      const at = next++;
      const item = items[at];
      if (item === undefined) continue;
      try {
        done[at] = await work(item, at);
      } catch (thrown) {
        failures.push(thrown);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
  return done;
}
