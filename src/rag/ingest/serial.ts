/** Runs work one after the other per key, in order of arrival; different keys run side by side. */
export function createSerial(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work, work);
    const settled = turn.catch(() => undefined);
    last.set(key, settled);
    // The last in line takes the line away, so that keys seen once are not kept for ever.
    void settled.then(() => {
      if (last.get(key) === settled) last.delete(key);
    });
    return turn;
  };
}

/** Work of one collection, one after the other. */
export type InTurn = <T>(place: { tenantId: string; collection: string }, work: () => Promise<T>) => Promise<T>;

/** Turns by collection, within this process. */
export function createInTurn(): InTurn {
  const serial = createSerial();
  return ({ tenantId, collection }, work) => serial(`${tenantId}\n${collection}`, work);
}
