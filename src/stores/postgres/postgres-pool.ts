import type { Secret } from '../../lib/secret.ts';
import { isFull, isLoss, isRefusal, isStalePlan } from './postgres-errors.ts';
import { openPostgresSession, type PostgresSession } from './postgres-session.ts';

export interface PostgresPoolOptions {
  /** `postgres://` or `postgresql://`, with user, password, database and `sslmode` where needed. */
  url: Secret;
  maxConnections: number;
  connectTimeoutMs: number;
  /** What the server gives one statement before it cancels it. */
  statementTimeoutMs: number;
  log: {
    info(event: string, fields?: object): void;
    warn(event: string, fields?: object): void;
  };
}

/** Connections to one Postgres, with a bound on their number and on every wait. */
export interface PostgresPool {
  /** Does work on a connection that nobody else has meanwhile. Rejects at once while Postgres is known to be down. */
  use<T>(work: (session: PostgresSession) => Promise<T>): Promise<T>;
  /** Takes no new work, lets what runs end for a moment, closes all connections. */
  close(): Promise<void>;
}

const PROBE_EVERY_MS = 250;
/** Work that may wait for a connection. */
const MAX_WAITING = 5_000;
/** How long no further connection is asked of a server that has none left. */
const FULL_PAUSE_MS = 1_000;
const CLOSE_LIMIT_MS = 2_000;

interface Waiting {
  resolve(session: PostgresSession): void;
  reject(error: unknown): void;
  timer: ReturnType<typeof setTimeout>;
}

/**
 * Down is what a refused or lost connection says, or a statement that takes long while a fresh connection gets no
 * answer; then nothing waits and nothing is tried but a probe every quarter of a second.
 *
 * Work that was given up may still be done by a server that did not notice: a COMMIT may be on its way. So the pool
 * is up again only when no backend of before is left (it ends them): from then on what has happened can be read, and
 * whoever finds nothing may repeat.
 */
export function createPostgresPool(options: PostgresPoolOptions): PostgresPool {
  const { maxConnections, connectTimeoutMs, statementTimeoutMs, log } = options;
  const idle: PostgresSession[] = [];
  const busy = new Set<PostgresSession>();
  const waiting: Waiting[] = [];
  const abandoned = new Set<string>();
  let state: 'up' | 'down' | 'closed' = 'up';
  let opening = 0;
  let fullUntilMs = 0;
  let probing = false;
  let downSinceMs = 0;
  let lastError: unknown;
  let whenIdle: (() => void) | undefined;

  const open = (): Promise<PostgresSession> =>
    openPostgresSession({ url: options.url, connectTimeoutMs, statementTimeoutMs, onSlow: () => void probe() });

  /** A connection for one piece of work, which counts as busy from here on. */
  function take(): Promise<PostgresSession> {
    for (let session = idle.pop(); session !== undefined; session = idle.pop()) {
      // One that was lost while nobody used it means nothing yet.
      if (session.state() === 'open') {
        busy.add(session);
        return Promise.resolve(session);
      }
      session.end();
    }
    return new Promise((resolve, reject) => {
      if (waiting.length >= MAX_WAITING) return reject(new Error('Too many wait for a connection to Postgres.'));
      const limitMs = statementTimeoutMs;
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(own), 1);
        reject(new Error(`No connection to Postgres was free within ${limitMs} ms.`, { cause: lastError }));
      }, limitMs);
      const own: Waiting = { resolve, reject, timer };
      waiting.push(own);
      grow();
    });
  }

  function grow(): void {
    if (state !== 'up' || opening >= waiting.length || performance.now() < fullUntilMs) return;
    if (idle.length + busy.size + opening >= maxConnections) return;
    opening++;
    open().then(
      (session) => {
        opening--;
        if (state === 'up') hand(session);
        else session.end();
      },
      (error: unknown) => {
        opening--;
        lastError = error;
        if (!isFull(error) || busy.size + idle.length === 0) return goDown(error);
        fullUntilMs = performance.now() + FULL_PAUSE_MS;
        setTimeout(grow, FULL_PAUSE_MS).unref();
      },
    );
  }

  function hand(session: PostgresSession): void {
    const next = waiting.shift();
    if (next === undefined) {
      idle.push(session);
      return;
    }
    clearTimeout(next.timer);
    busy.add(session);
    next.resolve(session);
  }

  function goDown(error: unknown): void {
    if (state !== 'up') return;
    state = 'down';
    lastError = error;
    downSinceMs = performance.now();
    for (const session of busy) abandoned.add(session.backend);
    endAll(error);
    log.warn('database_down', { error });
    void probe();
  }

  function endAll(error: unknown): void {
    for (const session of [...idle.splice(0), ...busy]) session.end();
    for (const each of waiting.splice(0)) {
      clearTimeout(each.timer);
      each.reject(error);
    }
  }

  /** Whether a fresh connection is answered; where the pool is down, also whether it may be up again. */
  async function probe(): Promise<void> {
    if (probing || state === 'closed') return;
    probing = true;
    let session: PostgresSession | undefined;
    try {
      session = await open();
      await endAbandoned(session);
      if (isDown()) {
        state = 'up';
        log.info('database_up', { downMs: Math.round(performance.now() - downSinceMs) });
        hand(session);
        session = undefined;
      }
    } catch (error) {
      lastError = error;
      // A server that refuses one more connection answers.
      if (!isFull(error)) goDown(error);
    } finally {
      probing = false;
      session?.end();
    }
    if (isDown()) setTimeout(() => void probe(), PROBE_EVERY_MS).unref();
  }

  async function endAbandoned(session: PostgresSession): Promise<void> {
    if (!isDown() || abandoned.size === 0) return;
    const { rows } = await session.execute<{ pid: number; backend: string }>(
      `SELECT pid, pid || '@' || EXTRACT(EPOCH FROM backend_start) AS backend FROM pg_stat_activity
       WHERE usename = current_user`,
    );
    const left = rows.filter(({ backend }) => abandoned.has(backend));
    for (const { pid } of left) await session.execute('SELECT pg_terminate_backend($1)', [String(pid)]);
    if (left.length > 0) throw new Error(`${left.length} backends of before are ending.`);
    abandoned.clear();
  }

  const isDown = (): boolean => state === 'down';

  return {
    use: async (work) => {
      if (state !== 'up') throw new Error('Postgres is not reached.', { cause: lastError });
      const session = await take();
      try {
        return await work(session);
      } catch (thrown) {
        if (isStalePlan(thrown)) for (const each of [session, ...idle.splice(0)]) each.end();
        else if (isLoss(thrown) && session.state() !== 'ended') goDown(thrown);
        else if (!isRefusal(thrown)) session.end();
        throw thrown;
      } finally {
        busy.delete(session);
        if (state === 'up' && session.state() === 'open') hand(session);
        else session.end();
        if (busy.size === 0) whenIdle?.();
        grow();
      }
    },

    close: async () => {
      if (state === 'closed') return;
      state = 'closed';
      if (busy.size > 0) {
        await new Promise<void>((resolve) => {
          whenIdle = resolve;
          setTimeout(resolve, CLOSE_LIMIT_MS);
        });
      }
      endAll(new Error('The database is closed.'));
    },
  };
}
