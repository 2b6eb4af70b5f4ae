import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { createAdmission, type Admission, type Reservation } from '../../src/gateway/admission.ts';
import { Secret } from '../../src/lib/secret.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { Limits } from '../../src/spec/limits.ts';
import { createMemoryCounterStore } from '../../src/stores/memory/memory-counter-store.ts';
import { createRedisConnection, type RedisConnection } from '../../src/stores/redis/redis-connection.ts';
import { createRedisCounterStore } from '../../src/stores/redis/redis-counter-store.ts';
import { eventually } from '../support/eventually.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../support/redis-server.ts';
import { startTcpPath, type TcpPath } from '../support/tcp-path.ts';

const COMMAND_TIMEOUT_MS = 200;
/** What a call may wait at most for a Redis that does not answer, with room for a busy machine. */
const BOUND_MS = COMMAND_TIMEOUT_MS + 250;
const RECOVERY_MS = 5_000;
const FLIGHT = 20;
/** Enough for one call of the tests, and not for two. */
const ONE_CALL: Limits = { budgetMicros: 150 };
const PLAN = { targets: [{ name: 'up/m', price: { inputPerMillion: 1, outputPerMillion: 1 } }] };

interface Fault {
  name: string;
  begin(): Promise<unknown> | void;
  end(): Promise<unknown> | void;
}

describe.skipIf(!redisAvailable)(`fault 5: limits and budgets on a Redis that fails${redisMissing}`, () => {
  let redis: RedisServer;
  let path: TcpPath;
  let connection: RedisConnection;
  let admission: Admission;
  let spent = 0;
  let subjects = 0;

  beforeAll(async () => {
    redis = await startRedis();
    path = await startTcpPath(redis.port);
  });
  afterAll(async () => {
    await path.stop();
    await redis.stop();
  });
  beforeEach(() => {
    connection = connect(path.port, COMMAND_TIMEOUT_MS);
    admission = admissionOf('count-alone');
    spent = 0;
  });
  afterEach(async () => {
    admission.close();
    await connection.close();
  });

  const connect = (port: number, commandTimeoutMs: number): RedisConnection =>
    createRedisConnection({
      url: new Secret(`redis://127.0.0.1:${port}`),
      prefix: 't:',
      commandTimeoutMs,
      log: { info: () => undefined, warn: () => undefined },
    });

  const admissionOf = (whenDown: 'count-alone' | 'refuse'): Admission =>
    createAdmission({
      counters: createRedisCounterStore({ connection }),
      fallback: createMemoryCounterStore(),
      whenDown,
      ledger: { spentMicros: () => Promise.resolve(spent) },
      limitsOf: () => undefined,
    });

  /** Calls of a key of its own under the limits, each of 100 micro-dollars. */
  function callerOf(limits: Limits, of = admission): () => Promise<Reservation> {
    const principal = {
      tenantId: DEFAULT_TENANT,
      keyId: `key_${subjects++}`,
      name: 'caller',
      role: 'member',
      allowedRoutes: [],
      limits,
    } as const;
    return () => of.admit({ principal, route: 'fast' }, PLAN, () => ({ inputTokens: 100, maxOutputTokens: 0 }));
  }

  const codeOf = (promise: Promise<unknown>): Promise<string> =>
    promise.then(
      () => 'passes',
      (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : String(thrown)),
    );
  const codesOf = (many: number, call: () => Promise<unknown>): Promise<string[]> =>
    Promise.all(Array.from({ length: many }, () => codeOf(call())));
  /** The outcome and how long it took to come. */
  async function timed(call: () => Promise<unknown>): Promise<{ code: string; ms: number }> {
    const startMs = performance.now();
    const code = await codeOf(call());
    return { code, ms: performance.now() - startMs };
  }
  const recovered = (): Promise<unknown> =>
    eventually('Redis counts again', async () => (await codeOf(callerOf(ONE_CALL)())) === 'passes', RECOVERY_MS);

  const faults: Fault[] = [
    { name: 'down', begin: () => redis.kill(), end: () => redis.restart() },
    { name: 'stopped, its connections open', begin: () => redis.pause(), end: () => redis.resume() },
    { name: 'behind a path that swallows everything', begin: () => path.swallow(), end: () => path.delay(0) },
    { name: 'slow by 2 s', begin: () => path.delay(2_000), end: () => path.delay(0) },
    {
      name: 'a read-only replica',
      begin: () => redis.command('REPLICAOF', '127.0.0.1', '1'),
      end: () => redis.command('REPLICAOF', 'NO', 'ONE'),
    },
    {
      name: 'out of memory',
      begin: () => redis.configSet('maxmemory', '1'),
      end: () => redis.configSet('maxmemory', '0'),
    },
  ];

  describe.each(faults)('$name', ({ begin, end }) => {
    test('rates and concurrency count alone, budgets refuse, nobody waits; all is well soon after', async () => {
      const [flying, paying] = [callerOf({ concurrency: FLIGHT, requestsPerDay: 10_000 }), callerOf(ONE_CALL)];
      // Known to Redis and let go again.
      await (await flying()).settle({ tokens: 0, costMicros: 0 });
      await (await paying()).settle({ tokens: 0, costMicros: 0 });
      await begin();

      const first = await Promise.all([timed(flying), timed(paying)]);
      expect(first.map(({ code }) => code)).toEqual(['passes', 'storage_unavailable']);
      for (const { ms } of first) expect(ms).toBeLessThan(BOUND_MS);
      await eventually('the failure is known', () => !connection.isUp());
      const many = await Promise.all(Array.from({ length: 200 }, () => timed(paying)));
      expect(new Set(many.map(({ code }) => code))).toEqual(new Set(['storage_unavailable']));
      expect(Math.max(...many.map(({ ms }) => ms))).toBeLessThan(COMMAND_TIMEOUT_MS);
      // This process enforces what it can count: one is in flight already.
      const alone = await codesOf(FLIGHT + 5, flying);
      expect(alone.filter((code) => code === 'passes')).toHaveLength(FLIGHT - 1);
      expect(alone.filter((code) => code === 'rate_limited')).toHaveLength(6);

      await end();
      await recovered();
      // No phantom: what was given up in the failure holds nothing.
      expect(await codesOf(FLIGHT + 1, flying)).toEqual([...Array<string>(FLIGHT).fill('passes'), 'rate_limited']);
      expect(await codesOf(2, paying)).toEqual(['passes', 'budget_exhausted']);
    }, 20_000);
  });

  test('where that is wished, limits without money are refused too', async () => {
    const refusing = admissionOf('refuse');
    const call = callerOf({ requestsPerDay: 10 }, refusing);
    await call();
    await redis.kill();
    expect(await codeOf(call())).toBe('storage_unavailable');
    await redis.restart();
    await eventually('it passes again', async () => (await codeOf(call())) === 'passes', RECOVERY_MS);
    refusing.close();
  }, 20_000);

  test.each(faults.slice(1, 4))(
    '$name: what was open before is settled after it, once',
    async ({ begin, end }) => {
      const [flying, paying] = [callerOf({ concurrency: 1 }), callerOf({ budgetMicros: 2_000 })];
      const [flight, payment] = [await flying(), await paying()];
      await begin();
      const settling = await timed(() =>
        Promise.all([flight.settle({ tokens: 0, costMicros: 0 }), payment.settle({ tokens: 0, costMicros: 950 })]),
      );
      expect(settling).toMatchObject({ code: 'passes' });
      expect(settling.ms).toBeLessThan(BOUND_MS);
      await end();
      await recovered();
      await eventually('the flight is over', async () => (await codeOf(flying())) === 'passes');
      // 2,000 without the 950 are ten calls of 100 each.
      const codes = await codesOf(12, paying);
      expect(codes.filter((code) => code === 'passes')).toHaveLength(10);
    },
    20_000,
  );

  test('stopped: what was asked and given up is not taken when Redis goes on', async () => {
    const call = callerOf({ requestsPerDay: 40 });
    await call();
    redis.pause();
    expect(new Set(await codesOf(30, call))).toEqual(new Set(['passes']));
    redis.resume();
    await recovered();
    const codes = await codesOf(60, call);
    expect(codes.filter((code) => code === 'passes')).toHaveLength(39);
  }, 20_000);

  test('flushed: budgets are read from the ledger again, calls in flight are held again, rates begin anew', async () => {
    const flushing = createAdmission({
      counters: createRedisCounterStore({ connection }),
      ledger: { spentMicros: () => Promise.resolve(spent) },
      limitsOf: () => undefined,
      leaseMs: 300,
    });
    const [paying, flying] = [callerOf({ budgetMicros: 1_000 }, flushing), callerOf({ concurrency: 1 }, flushing)];
    await (await paying()).settle({ tokens: 0, costMicros: 900 });
    await flying();
    spent = 900;
    expect(await codesOf(2, paying)).toEqual(['passes', 'budget_exhausted']);
    await redis.command('FLUSHALL');
    // The ledger knows what is settled; what is in flight comes back with its next renewal.
    expect(await codesOf(2, paying)).toEqual(['passes', 'budget_exhausted']);
    await eventually('the flight is held again', async () => {
      const reservation = await flying().catch(() => undefined);
      await reservation?.settle({ tokens: 0, costMicros: 0 });
      return reservation === undefined;
    });
    flushing.close();
  });

  test('under load: beside a client that keeps Redis busy the count stays exact', async () => {
    const patient = connect(redis.port, 5_000);
    const busy = patient.duplicate();
    let goesOn = true;
    const noise = (async () => {
      while (goesOn) await busy.eval("for i = 1, 10000 do redis.call('SET', 't:noise', i) end", 0);
    })();
    const counting = createAdmission({
      counters: createRedisCounterStore({ connection: patient }),
      ledger: { spentMicros: () => Promise.resolve(0) },
      limitsOf: () => undefined,
    });
    const call = callerOf({ requestsPerDay: 1_000, budgetMicros: 90_000 }, counting);
    const codes: string[] = [];
    for (let round = 0; round < 20; round++) codes.push(...(await codesOf(100, call)));
    goesOn = false;
    await noise;
    expect(codes.filter((code) => code === 'passes')).toHaveLength(900);
    expect(codes.filter((code) => code === 'budget_exhausted')).toHaveLength(1_100);
    counting.close();
    await patient.close();
  }, 60_000);
});
