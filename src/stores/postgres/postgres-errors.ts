/** The server did not answer. */
export class Unanswered extends Error {
  constructor(limitMs: number) {
    super(`Postgres did not answer within ${limitMs} ms.`);
    this.name = 'Unanswered';
  }
}

/** The connection was gone before anything was asked. */
export class ConnectionLost extends Error {
  constructor() {
    super('The connection to Postgres was lost.');
    this.name = 'ConnectionLost';
  }
}

// Codes: postgresql.org/docs/current/errcodes-appendix.html

/** The server answered, and the connection goes on. */
export function isRefusal(thrown: unknown): boolean {
  return stateOf(thrown) !== undefined && !isLoss(thrown);
}

/** The connection is gone or silent, so that it is not known what became of what was asked. */
export function isLoss(thrown: unknown): boolean {
  if (thrown instanceof Unanswered || thrown instanceof ConnectionLost) return true;
  const state = stateOf(thrown);
  if (state !== undefined) return /^(08|57P0|25P03|25P04)/.test(state);
  return textAt(thrown, 'code')?.startsWith('ERR_POSTGRES_') === true;
}

/** The server has no connection left; those that there are go on. */
export function isFull(thrown: unknown): boolean {
  return stateOf(thrown) === '53300';
}

/** A statement that is kept prepared gives other columns since the schema has changed; it did nothing. */
export function isStalePlan(thrown: unknown): boolean {
  return stateOf(thrown) === '0A000' && thrown instanceof Error && thrown.message.includes('cached plan');
}

function stateOf(thrown: unknown): string | undefined {
  const state = textAt(thrown, 'errno');
  return state !== undefined && /^[0-9A-Z]{5}$/.test(state) ? state : undefined;
}

function textAt(thrown: unknown, name: 'code' | 'errno'): string | undefined {
  if (!(thrown instanceof Bun.SQL.SQLError)) return undefined;
  const value: unknown = Reflect.get(thrown, name);
  return typeof value === 'string' ? value : undefined;
}
