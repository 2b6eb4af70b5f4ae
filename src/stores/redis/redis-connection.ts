import { Redis } from 'ioredis';
import type { Secret } from '../../lib/secret.ts';
import { SekishoError } from '../../spec/errors.ts';

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://`, with user, password and database where needed. */
  url: Secret;
  /** Begins every key of the stores that use the connection. */
  prefix: string;
  /** Longest time that one piece of work may take. */
  commandTimeoutMs: number;
  log: {
    info(event: string, fields?: object): void;
    warn(event: string, fields?: object): void;
  };
}

/** One connection to one Redis, with a bound on every wait and a memory of whether Redis answers. */
export interface RedisConnection {
  readonly prefix: string;
  /** Longest time that one piece of work may take. */
  readonly commandTimeoutMs: number;
  /** For what `run` cannot do; commands given to it directly have no bound of time. */
  readonly client: Redis;
  /**
   * Does work on Redis. While Redis is known to be down nothing is tried: it rejects at once.
   * @throws SekishoError storage_unavailable where Redis is down, does not answer in time or cannot take the
   * command (read-only, out of memory, loading); the cause is the client's own error.
   */
  run<T>(work: (client: Redis) => Promise<T>): Promise<T>;
  isUp(): boolean;
  /** Told each time that Redis answers again after it was down, or left a command unanswered. */
  onUp(listener: () => void): void;
  /** A connection of its own for a subscriber; resubscribes by itself, ends with this one. */
  duplicate(): Redis;
  close(): Promise<void>;
}

const PROBE_EVERY_MS = 250;
const LONGEST_RECONNECT_DELAY_MS = 500;
/** A connection on which so many probes in a row were not answered is replaced by a fresh one. */
const PROBES_PER_CONNECTION = 2;

/**
 * Opens the connection in the background; the first work waits until it is known whether Redis answers.
 *
 * Down is what a lost connection or a refusal of writes says, or an unanswered command and then an unanswered
 * probe; up is what a probe says that wrote a key in time, every quarter of a second. A probe that is not answered twice replaces the
 * connection, because a path that swallows packets never closes one, and an address may have moved to
 * another server. The client queues nothing and sends nothing twice. A command that was sent and not answered may
 * still be done later; whoever cannot bear that gives it a deadline of its own.
 */
export function createRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { prefix, commandTimeoutMs, log } = options;
  const client = new Redis(options.url.reveal(), {
    // What version 2 cannot say is not used here, and it needs no handshake.
    protocol: 2,
    disableClientInfo: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1_000,
    disconnectTimeout: 100,
    retryStrategy: (times) => Math.min(50 * times, LONGEST_RECONNECT_DELAY_MS),
  });
  const subscribers = new Set<Redis>();
  const listeners: (() => void)[] = [];
  let state: 'starting' | 'up' | 'down' | 'closed' = 'starting';
  let downSinceMs = 0;
  /** Something was not answered since the last probe that was. */
  let doubtful = false;
  let unanswered = 0;
  let probing = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastError: unknown;
  let begun = (): void => undefined;
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });

  client.on('error', (error: unknown) => {
    lastError = error;
  });
  client.on('close', () => goDown(lastError ?? new Error('The connection was closed.')));
  client.on('ready', () => void probe());

  function goDown(error: unknown): void {
    if (state === 'down' || state === 'closed') return;
    state = 'down';
    doubtful = true;
    begun();
    downSinceMs = performance.now();
    unanswered = 0;
    log.warn('redis_down', { error });
    void probe();
  }

  function goUp(): void {
    const wasDown = state === 'down';
    state = 'up';
    begun();
    lastError = undefined;
    if (wasDown) log.info('redis_up', { downMs: Math.round(performance.now() - downSinceMs) });
    if (!doubtful) return;
    doubtful = false;
    for (const listener of listeners) listener();
  }

  async function probe(): Promise<void> {
    if (probing || state === 'closed') return;
    probing = true;
    clearTimeout(timer);
    try {
      await within(commandTimeoutMs, client.set(`${prefix}probe`, 1, 'PX', 1_000));
      if (isOpen()) goUp();
    } catch (thrown) {
      // While the client reconnects by itself there is nothing to replace.
      const held = client.status === 'ready' || client.status === 'connect';
      if (held && (thrown instanceof Unanswered || isReadOnly(thrown)) && ++unanswered >= PROBES_PER_CONNECTION) {
        unanswered = 0;
        client.disconnect(true);
        for (const subscriber of subscribers) subscriber.disconnect(true);
      }
      if (state === 'up' || (state === 'starting' && client.status === 'ready')) goDown(thrown);
      if (isOpen()) {
        timer = setTimeout(() => void probe(), PROBE_EVERY_MS);
        timer.unref();
      }
    } finally {
      probing = false;
    }
  }

  const isOpen = (): boolean => state !== 'closed';

  return {
    prefix,
    commandTimeoutMs,
    client,
    isUp: () => state === 'up',
    onUp: (listener) => void listeners.push(listener),

    run: async (work) => {
      if (state === 'starting') await within(commandTimeoutMs, beginning).catch(() => undefined);
      if (state !== 'up') throw new SekishoError('storage_unavailable', { cause: lastError });
      try {
        return await within(commandTimeoutMs, work(client));
      } catch (thrown) {
        if (thrown instanceof SekishoError) throw thrown;
        if (thrown instanceof Unanswered) {
          doubtful = true;
          void probe();
        } else if (saysDown(thrown)) goDown(thrown);
        throw new SekishoError('storage_unavailable', { cause: thrown });
      }
    },

    duplicate: () => {
      const subscriber = client.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null });
      // The connection that asks tells of failures; an error event without a listener would end the process.
      subscriber.on('error', () => undefined);
      subscriber.on('end', () => subscribers.delete(subscriber));
      subscribers.add(subscriber);
      return subscriber;
    },

    close: async () => {
      if (state === 'closed') return;
      const wasUp = state === 'up';
      state = 'closed';
      begun();
      clearTimeout(timer);
      for (const subscriber of subscribers) subscriber.disconnect();
      // What was sent before is answered before.
      if (wasUp) await within(commandTimeoutMs, client.quit()).catch(() => undefined);
      client.disconnect();
    },
  };
}

class Unanswered extends Error {
  constructor(limitMs: number) {
    super(`Redis did not answer within ${limitMs} ms.`);
    this.name = 'Unanswered';
  }
}

/** Settles as the work does, or rejects after the limit. */
function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      // Where this process itself was late, an answer may lie in the socket: it is read before judgement.
      setImmediate(() => reject(new Unanswered(limitMs)));
    }, limitMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (thrown: unknown) => {
        clearTimeout(timer);
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      },
    );
  });
}

/** Replies by which Redis says that it takes no writes now; any other reply concerns one command alone. */
const REFUSALS = /^(READONLY|OOM|LOADING|MISCONF|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|BUSY|NOAUTH|WRONGPASS|NOPERM)\b/;

function saysDown(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || thrown.name !== 'ReplyError') return true;
  return REFUSALS.test(thrown.message);
}

function isReadOnly(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.message.startsWith('READONLY');
}
