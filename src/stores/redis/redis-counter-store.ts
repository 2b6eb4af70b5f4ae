import { systemClock, type Clock } from '../../lib/clock.ts';
import type { CounterAnswer, CounterSettlement, CounterStore, CounterTake } from '../../ports/counter-store.ts';
import { SekishoError } from '../../spec/errors.ts';
import { RENEW, SEED, SETTLE, TAKE } from './counter-scripts.ts';
import type { RedisConnection } from './redis-connection.ts';
import { runScript, scriptOf, type Script } from './run-script.ts';
import { createServerTime } from './server-time.ts';

/** A level with a history is forgotten after two days without use, and then seeded again. */
const HISTORY_TTL_MS = 2 * 86_400_000;
const SHORTEST_TTL_MS = 60_000;
/** How long a settlement is known as done, so that a repetition changes nothing. */
const SETTLED_TTL_MS = 300_000;
/** Of each kind so much is remembered; of more, the oldest is forgotten. */
const MAX_OPEN = 100_000;
const MAX_DEFERRED = 50_000;
const BATCH = 100;

interface Hold {
  key: string;
  amount: number;
  ttlMs: number;
}

interface Call {
  script: Script;
  keys: readonly string[];
  args: readonly (string | number)[];
}

/**
 * Counters of all replicas on one Redis (6.2 or newer): each verb is one script, atomic, by the server's time.
 *
 * All keys of a call share the hash tag that its counters begin with (`{tenant}`, or `{target}`), so that the
 * scripts run on a cluster too, where each tenant lives on one node.
 *
 * Nothing happens late: a take that reaches the server after its caller has given up takes nothing, and what it
 * may have held before is let go when Redis is back. A settlement that Redis did not take is kept and sent then;
 * it is lost if this process ends before, and the lease lets the hold go.
 *
 * The connection belongs to whoever opened it.
 */
export function createRedisCounterStore(options: { connection: RedisConnection; clock?: Clock }): CounterStore {
  const { connection, clock = systemClock } = options;
  const { prefix } = connection;
  const time = createServerTime(clock);
  const scripts = { take: scriptOf(TAKE), settle: scriptOf(SETTLE), renew: scriptOf(RENEW), seed: scriptOf(SEED) };
  /** Levels held by reservations that are not settled yet, for renewal. */
  const open = new Map<string, Hold[]>();
  /** What is told when Redis is back: settlements, and holds that nobody knows to exist. */
  const deferred = new Map<string, Call>();
  connection.onUp(() => void sendDeferred());
  /** What Redis refuses while it is up, it would refuse again. */
  const isFinal = (thrown: unknown): boolean =>
    connection.isUp() && thrown instanceof Error && thrown.cause instanceof Error && thrown.cause.name === 'ReplyError';

  const rateKey = (key: string): string => `${prefix}n:${key}`;
  const levelKeys = (key: string): [string, string] => [`${prefix}l:${key}`, `${prefix}h:${key}`];

  async function run({ script, keys, args }: Call): Promise<unknown> {
    const answer = await connection.run((client) => runScript(client, script, keys, args));
    if (typeof answer === 'number') time.learn(answer);
    return answer;
  }

  function defer(id: string, call: Call): void {
    if (deferred.size >= MAX_DEFERRED) forgetOldest(deferred);
    deferred.set(id, call);
  }

  async function sendDeferred(): Promise<void> {
    while (deferred.size > 0) {
      const batch = [...deferred].slice(0, BATCH);
      const sent = await Promise.allSettled(batch.map(([, call]) => run(call)));
      let unanswered = 0;
      for (const [at, [id, call]] of batch.entries()) {
        const result = sent[at];
        if (result?.status === 'rejected' && !isFinal(result.reason)) unanswered++;
        else if (deferred.get(id) === call) deferred.delete(id);
      }
      // It is told again when Redis answers again.
      if (unanswered > 0) return;
    }
  }

  async function take(reservation: Parameters<CounterStore['take']>[0], tries: number): Promise<CounterAnswer> {
    const { id, leaseMs } = reservation;
    const takes = reservation.takes.map(whole);
    const ttlMs = (each: CounterTake): number =>
      each.needsSeed === true ? HISTORY_TTL_MS : Math.max(SHORTEST_TTL_MS, 4 * leaseMs);
    const now = time.known();
    const keys = takes.flatMap((each) => (each.windowMs === undefined ? levelKeys(each.key) : rateKey(each.key)));
    const args = takes.flatMap((each) => [
      each.amount,
      each.limit,
      each.windowMs ?? 0,
      each.mode === 'shadow' ? 1 : 0,
      each.needsSeed === true ? 1 : 0,
      ttlMs(each),
    ]);
    const deadlineMs = now === undefined ? 0 : Math.ceil(now + connection.commandTimeoutMs);
    const holds = takes
      .filter((each) => each.windowMs === undefined && each.amount > 0)
      .map((each) => ({ key: each.key, amount: each.amount, ttlMs: ttlMs(each) }));
    let wasSent = false;
    let raw: unknown;
    try {
      raw = await connection.run((client) => {
        wasSent = true;
        return runScript(client, scripts.take, keys, [id, leaseMs, deadlineMs, ...args]);
      });
    } catch (thrown) {
      if (wasSent && holds.length > 0) defer(`take ${id}`, settlementCall(id, holds.map(given)));
      throw thrown;
    }
    const answer = readAnswer(raw);
    time.learn(answer.serverMs);
    if (answer.outcome === 'late') {
      // The server's clock was set, or another server answers now; its time has just been learned.
      if (tries > 0) return take(reservation, tries - 1);
      throw new SekishoError('storage_unavailable', { cause: new Error('Redis takes later than it answers.') });
    }
    if (answer.outcome === 'taken' && holds.length > 0) {
      if (open.size >= MAX_OPEN) forgetOldest(open);
      open.set(id, holds);
    }
    const { serverMs: _, ...told } = answer;
    return told;
  }

  function settlementCall(id: string, settlements: readonly CounterSettlement[]): Call {
    const keys: string[] = [`${prefix}d:${tagOf(settlements[0]?.key ?? '')}${id}`];
    const args: (string | number)[] = [];
    let counts = false;
    for (const { key, reserved, used, limit, windowMs, keeps } of settlements) {
      counts ||= windowMs !== undefined || keeps;
      if (windowMs === undefined) {
        keys.push(...levelKeys(key));
        args.push(Math.ceil(reserved), Math.ceil(used), limit, 0, keeps ? 1 : 0, keeps ? HISTORY_TTL_MS : 0);
      } else {
        keys.push(rateKey(key));
        args.push(reserved, used, limit, windowMs, 0, 0);
      }
    }
    return { script: scripts.settle, keys, args: [id, counts ? SETTLED_TTL_MS : 0, ...args] };
  }

  return {
    take: (reservation) => take(reservation, 1),

    settle: async (id, settlements) => {
      open.delete(id);
      if (settlements.length === 0) return;
      const call = settlementCall(id, settlements);
      try {
        await run(call);
      } catch (thrown) {
        if (isFinal(thrown)) throw thrown;
        defer(id, call);
      }
    },

    renew: async (ids, leaseMs) => {
      const holds = ids.flatMap((id) => (open.get(id) ?? []).map((each) => ({ id, ...each })));
      const groups = Map.groupBy(holds, ({ key }) => tagOf(key));
      for (const group of groups.values()) {
        for (let from = 0; from < group.length; from += BATCH) {
          const batch = group.slice(from, from + BATCH);
          const args = batch.flatMap(({ id, amount, ttlMs }) => [id, amount, ttlMs]);
          const keys = batch.flatMap(({ key }) => levelKeys(key));
          await run({ script: scripts.renew, keys, args: [leaseMs, ...args] });
        }
      }
    },

    seed: async (key, amount) => {
      const [hash] = levelKeys(key);
      await run({ script: scripts.seed, keys: [hash], args: [Math.ceil(amount), HISTORY_TTL_MS] });
    },

    nowMs: time.nowMs,

    close: async () => {
      if (connection.isUp()) await sendDeferred();
    },
  };
}

/** Levels count whole units. */
function whole(take: CounterTake): CounterTake {
  return take.windowMs === undefined ? { ...take, amount: Math.ceil(take.amount) } : take;
}

/** The settlement that lets a hold go and counts nothing. */
function given({ key, amount }: Hold): CounterSettlement {
  return { key, reserved: amount, used: 0, limit: 0, keeps: false };
}

/** The hash tag that a key begins with, braces included. */
function tagOf(key: string): string {
  return /^\{[^}]*\}/.exec(key)?.[0] ?? '';
}

function forgetOldest(map: Map<string, unknown>): void {
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function readAnswer(raw: unknown): { serverMs: number } & (CounterAnswer | { outcome: 'late' }) {
  const [code, serverMs, index, retryAfterMs, ...lists] = Array.isArray(raw) ? raw : [];
  const [remaining, resetMs, indexes] = lists.map(numbers);
  if (typeof serverMs !== 'number' || remaining === undefined || resetMs === undefined || indexes === undefined) {
    throw new SekishoError('internal', { cause: new Error('The counter script did not answer as it does.') });
  }
  if (code === 0) return { outcome: 'taken', serverMs, remaining, resetMs, shadowRefused: indexes };
  if (code === 2) return { outcome: 'unseeded', serverMs, indexes };
  if (code === 3) return { outcome: 'late', serverMs };
  return { outcome: 'refused', serverMs, index: Number(index), retryAfterMs: Number(retryAfterMs), remaining, resetMs };
}

function numbers(raw: unknown): number[] {
  return Array.isArray(raw) ? raw.map(Number) : [];
}
