/**
 * Makes one question of those that are asked in the same turn of the event loop.
 *
 * @param ask answers keys in their order; at most `most` at once. Where it rejects, each of its askers is refused.
 */
export function gather<K, V>(most: number, ask: (keys: readonly K[]) => Promise<readonly V[]>): (key: K) => Promise<V> {
  interface Asker {
    key: K;
    resolve: (value: V) => void;
    reject: (thrown: unknown) => void;
  }
  let asked: Asker[] = [];

  async function answer(askers: readonly Asker[]): Promise<void> {
    try {
      const values = await ask(askers.map(({ key }) => key));
      if (values.length !== askers.length) throw new Error(`${askers.length} asked, ${values.length} answered.`);
      values.forEach((value, index) => askers[index]?.resolve(value));
    } catch (thrown) {
      for (const { reject } of askers) reject(thrown);
    }
  }

  function send(): void {
    const all = asked;
    asked = [];
    for (let from = 0; from < all.length; from += most) void answer(all.slice(from, from + most));
  }

  return (key) =>
    new Promise((resolve, reject) => {
      if (asked.push({ key, resolve, reject }) === 1) queueMicrotask(send);
    });
}
