import type { Secret } from '../../lib/secret.ts';
import { ConnectionLost, Unanswered } from './postgres-errors.ts';

/** One connection, which one piece of work has at a time. */
export interface PostgresSession {
  /** Process and start of the backend: tells it from every other one of its server. */
  readonly backend: string;
  /** @throws Error of the client; Unanswered where the server is silent for longer than it may work. */
  execute<Row extends object>(sql: string, params?: readonly SqlParameter[], limitMs?: number): Promise<Answer<Row>>;
  /** Ends the connection at once; what is being done on it rejects. */
  end(): void;
  /** `lost` where the other side ended it. */
  state(): 'open' | 'lost' | 'ended';
}

export interface Answer<Row> {
  rows: Row[];
  changes: number;
}

export type SqlParameter = string | null | Uint8Array;

export interface SessionOptions {
  url: Secret;
  connectTimeoutMs: number;
  /** What the server gives one statement before it cancels it. */
  statementTimeoutMs: number;
  /** Told when a statement takes long. */
  onSlow: () => void;
}

/** What the server's own limit is exceeded by before it counts as silent. */
const SLACK_MS = 1_000;
const SLOW_MS = 1_000;
/** A transaction that is begun and not ended for so long is not ours any more. */
const IDLE_IN_TRANSACTION_MS = 5_000;

// The settings are of the session and not of its first packet, which a proxy in between might refuse.
const BEGIN_SESSION = `SELECT pid || '@' || EXTRACT(EPOCH FROM backend_start) AS backend,
  set_config('application_name', 'sekisho', false), set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false)
  FROM pg_stat_activity WHERE pid = pg_backend_pid()`;

/** Opens a connection. @throws Error of the client, Unanswered. */
export async function openPostgresSession(options: SessionOptions): Promise<PostgresSession> {
  const { connectTimeoutMs, statementTimeoutMs } = options;
  const usualLimitMs = statementTimeoutMs + SLACK_MS;
  let state: 'open' | 'lost' | 'ended' = 'open';
  const client = new Bun.SQL({
    url: options.url.reveal(),
    // A pool of the client would put a short statement behind a long one on the same connection.
    max: 1,
    bigint: true,
    idleTimeout: 0,
    maxLifetime: 0,
    connectionTimeout: connectTimeoutMs / 1_000,
    onclose: () => {
      if (state === 'open') state = 'lost';
    },
  });
  const end = (): void => {
    state = 'ended';
    client.close({ timeout: 0 }).catch(() => undefined);
  };

  // Reserved, so that nothing is ever done on another connection that the client makes where this one is lost.
  let connection: Bun.ReservedSQL | undefined;

  async function execute<Row extends object>(
    sql: string,
    params: readonly SqlParameter[] = [],
    limitMs = usualLimitMs,
  ): Promise<Answer<Row>> {
    if (connection === undefined || state !== 'open') throw new ConnectionLost();
    const work = connection.unsafe<Row[] & { count: number }>(sql, [...params]);
    const rows = await answeredWithin(work, { limitMs, onSlow: options.onSlow });
    return { rows: Array.from(rows), changes: rows.count };
  }

  try {
    const limits = { limitMs: connectTimeoutMs + SLACK_MS, onSlow: () => undefined };
    connection = await answeredWithin(client.reserve(), limits);
    const settings = [String(statementTimeoutMs), String(IDLE_IN_TRANSACTION_MS)];
    const { rows } = await execute<{ backend: string }>(BEGIN_SESSION, settings, limits.limitMs);
    return { backend: rows[0]?.backend ?? '', execute, end, state: () => state };
  } catch (thrown) {
    end();
    throw thrown;
  }
}

/** Settles as the work does, or rejects after the limit. */
function answeredWithin<T>(work: PromiseLike<T>, options: { limitMs: number; onSlow: () => void }): Promise<T> {
  const { limitMs, onSlow } = options;
  return new Promise<T>((resolve, reject) => {
    const slow = limitMs > SLOW_MS ? setTimeout(onSlow, SLOW_MS) : undefined;
    const timer = setTimeout(() => {
      // Where this process itself was late, an answer may lie in the socket: it is read before judgement.
      setImmediate(() => reject(new Unanswered(limitMs)));
    }, limitMs);
    const stop = (): void => {
      clearTimeout(slow);
      clearTimeout(timer);
    };
    work.then(
      (value) => {
        stop();
        resolve(value);
      },
      (thrown: unknown) => {
        stop();
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      },
    );
  });
}
