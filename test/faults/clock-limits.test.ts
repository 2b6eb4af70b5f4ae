import { afterEach, describe, expect, setSystemTime, test } from 'bun:test';
import { createAdmission } from '../../src/gateway/admission.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Secret } from '../../src/lib/secret.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import type { Limits } from '../../src/spec/limits.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import { createMemoryCounterStore } from '../../src/stores/memory/memory-counter-store.ts';
import { createRedisConnection } from '../../src/stores/redis/redis-connection.ts';
import { createRedisCounterStore } from '../../src/stores/redis/redis-counter-store.ts';
import { redisAvailable, redisMissing, startRedis } from '../support/redis-server.ts';

const HOUR_MS = 3_600_000;
const PLAN = { targets: [{ name: 'up/m', price: { inputPerMillion: 1, outputPerMillion: 1 } }] };

afterEach(() => void setSystemTime());

/** Sets the wall clock of this process off by so much; durations go on as they are. */
function jump(ms: number): void {
  setSystemTime();
  setSystemTime(new Date(Date.now() + ms));
}

const stores: {
  name: string;
  runs: boolean;
  open: () => Promise<{ store: CounterStore; stop: () => Promise<void> }>;
}[] = [
  {
    name: 'memory',
    runs: true,
    open: () => {
      const store = createMemoryCounterStore({ clock: systemClock });
      return Promise.resolve({ store, stop: () => store.close() });
    },
  },
  {
    name: `Redis${redisMissing}`,
    runs: redisAvailable,
    open: async () => {
      const redis = await startRedis();
      const log = { info: () => undefined, warn: () => undefined };
      const connection = createRedisConnection({
        url: new Secret(redis.url),
        prefix: '',
        commandTimeoutMs: 2_000,
        log,
      });
      const stop = async (): Promise<void> => {
        await connection.close();
        await redis.stop();
      };
      return { store: createRedisCounterStore({ connection, clock: systemClock }), stop };
    },
  },
];

for (const { name, runs, open } of stores) {
  describe.skipIf(!runs)(`fault 12: the wall clock jumps an hour, counters in ${name}`, () => {
    test.each([
      ['forward', HOUR_MS],
      ['back', -HOUR_MS],
    ])('%s: no window opens, none closes, no time told is negative', async (_, by) => {
      const { store, stop } = await open();
      const admission = createAdmission({
        counters: store,
        ledger: { spentMicros: () => Promise.resolve(0) },
        limitsOf: () => undefined,
      });
      const callerOf = (limits: Limits) => {
        const principal = {
          tenantId: DEFAULT_TENANT,
          keyId: `key_${Object.keys(limits).join('_')}`,
          name: 'caller',
          role: 'member',
          allowedRoutes: [],
          limits,
        } as const;
        return () => admission.admit({ principal, route: 'r' }, PLAN, () => ({ inputTokens: 40, maxOutputTokens: 0 }));
      };
      const refused = (thrown: unknown): SekishoError => {
        if (thrown instanceof SekishoError) return thrown;
        throw thrown;
      };
      const passed = async (call: () => Promise<unknown>): Promise<never> => {
        await call();
        throw new Error('It passed.');
      };
      const rates = ['requestsPerMinute', 'requestsPerHour', 'tokensPerMinute', 'tokensPerHour'] as const;
      const callers = rates.map((rate) => callerOf({ [rate]: rate.startsWith('tokens') ? 80 : 2 }));
      const paying = callerOf({ dailyBudgetMicros: 80, budgetMicros: 80 });
      const flying = callerOf({ concurrency: 2 });
      for (const call of [...callers, paying, flying]) {
        await call();
        await call();
      }

      const before = store.nowMs();
      jump(by);
      expect(Math.abs(store.nowMs() - before)).toBeLessThan(5_000);
      for (const [at, call] of callers.entries()) {
        const error = await passed(call).catch(refused);
        expect(error.code).toBe('rate_limited');
        const windowMs = rates[at]?.endsWith('Hour') === true ? HOUR_MS : 60_000;
        expect(error.retryAfterMs).toBeWithin(1_000, windowMs + 1);
        expect(error.headers.filter(([, value]) => value.startsWith('-'))).toEqual([]);
      }
      const unpaid = await passed(paying).catch(refused);
      expect(unpaid.code).toBe('budget_exhausted');
      expect(unpaid.retryAfterMs).toBeGreaterThanOrEqual(1_000);
      expect((await passed(flying).catch(refused)).code).toBe('rate_limited');

      // And none stays shut: what nobody has used yet is whole.
      const fresh = callerOf({ requestsPerMinute: 1, requestsPerDay: 1, budgetMicros: 40, concurrency: 1 });
      expect(Object.fromEntries((await fresh()).headers)).toMatchObject({ 'x-ratelimit-remaining-requests': '0' });
      admission.close();
      await stop();
    });
  });
}
