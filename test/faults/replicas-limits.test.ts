import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { FileConfig } from '../../src/config/schema.ts';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger } from '../support/read-ledger.ts';
import { readStream } from '../support/read-stream.ts';
import { isPatient } from '../support/patience.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../support/redis-server.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const MODEL = 'gpt-4o-mini';
const BODY = JSON.stringify({
  model: 'fast',
  stream: true,
  max_completion_tokens: 20,
  messages: [{ role: 'user', content: 'How far is it from Edo to Kyoto on foot?' }],
});
/** Dollars per million tokens, which is micro-dollars per token. */
const PRICE = { input_per_million: 100, cached_input_per_million: 100, output_per_million: 400 };
/** What one call reserves: a quarter of its bytes in, and the stated maximum out. */
const ESTIMATE_MICROS = Math.ceil(BODY.length / 4) * 100 + 20 * 400;
/** What one call comes to: the recorded answer tells of 17 tokens in and 13 out. */
const COST_MICROS = 17 * 100 + 13 * 400;
/** What a killed process held is let go after this long, with room for a busy machine. */
const LEASE_LIMIT_MS = 30_000;

interface Outcome {
  status: number;
  text: string;
}

describe.skipIf(!redisAvailable || !isPatient)(
  `limits and budgets of replicas that share a Redis${redisMissing}`,
  () => {
    let redis: RedisServer;
    let upstream: FakeProvider;
    let replicas: ServerProcess[] = [];
    beforeAll(async () => {
      redis = await startRedis();
      upstream = await startFakeProvider();
    });
    beforeEach(async () => {
      await redis.command('FLUSHALL');
      upstream.reset();
    });
    afterEach(async () => {
      upstream.release();
      await Promise.all(replicas.map((replica) => replica.stop()));
      replicas = [];
    });
    afterAll(async () => {
      await upstream.stop();
      await redis.stop();
    });

    async function start(count: number, limits: NonNullable<FileConfig['limits']>): Promise<void> {
      const config: FileConfig = {
        discover: false,
        handbook: false,
        redis: { url: redis.url },
        limits,
        providers: {
          up: {
            wire: 'openai',
            base_url: upstream.baseUrl,
            api_key: 'x',
            models: [MODEL],
            prices: { [MODEL]: PRICE },
          },
        },
        routes: { fast: [`up/${MODEL}`] },
        logging: { level: 'silent' },
      };
      replicas = await Promise.all(Array.from({ length: count }, () => startSekishoProcess({ config })));
    }

    /** One streamed call, read to its end. A Redis that a busy machine left unanswered is asked again. */
    async function ask(replica: ServerProcess | undefined): Promise<Outcome> {
      for (let tries = 0; ; tries++) {
        const response = await fetch(`${replica?.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${replica?.adminKey}` },
          body: BODY,
        });
        const { text, end } = await readStream(response);
        if (response.status !== 503 || tries > 20) return { status: end === 'closed' ? response.status : 0, text };
      }
    }
    const askAll = (many: number): Promise<Outcome>[] =>
      Array.from({ length: many }, (_, at) => ask(replicas[at % replicas.length]));
    const counted = (outcomes: readonly Outcome[], status: number): number =>
      outcomes.filter((each) => each.status === status).length;
    /** Watches calls under way: how many have ended with a status so far. */
    function watch(calls: readonly Promise<Outcome>[]): (status: number) => number {
      const ended: Outcome[] = [];
      for (const call of calls) void call.then((outcome) => ended.push(outcome)).catch(() => undefined);
      return (status) => counted(ended, status);
    }
    /** Lets the upstream go on until all have ended, also those that had not come to stand still yet. */
    async function letGo(calls: readonly Promise<Outcome>[]): Promise<Outcome[]> {
      let outcomes: Outcome[] | undefined;
      void Promise.all(calls).then((all) => (outcomes = all));
      return await eventually('all calls have ended', () => {
        upstream.release();
        return outcomes;
      });
    }
    const spentMicros = (of: readonly ServerProcess[] = replicas): number =>
      of
        .map(({ dataFolder }) => {
          const ledger = openLedger(dataFolder);
          const sum = ledger.rows().reduce((total, { cost_micros: cost }) => total + (cost ?? 0), 0);
          ledger.close();
          return sum;
        })
        .reduce((total, each) => total + each, 0);

    test.each([1, 4])(
      'C1: of a hundred at once on a budget for one, exactly one passes (%d replicas)',
      async (count) => {
        await start(count, { tenants: { '*': { budget_usd_per_month: (1.5 * ESTIMATE_MICROS) / 1e6 } } });
        upstream.onModel(MODEL, { stall: { at: { events: 1 } } });
        const calls = askAll(100);
        const ended = watch(calls);
        await eventually('all others are refused', () => ended(402) === 99, 30_000);
        expect(counted(await letGo(calls), 200)).toBe(1);
        expect(upstream.requests).toHaveLength(1);
        expect(spentMicros()).toBe(COST_MICROS);
      },
      90_000,
    );

    test('C6: a limit is one for all replicas together, and says so on each', async () => {
      await start(4, { tenants: { '*': { requests_per_day: 40 } }, routes: { fast: { concurrency: 100 } } });
      const outcomes = await Promise.all(askAll(100));
      expect(counted(outcomes, 200)).toBe(40);
      expect(counted(outcomes, 429)).toBe(60);
      const error = parseJson(outcomes.find(({ status }) => status === 429)?.text ?? '');
      expect(isJsonObject(error) && error['error']).toMatchObject({ code: 'rate_limited' });
      expect(upstream.requests).toHaveLength(40);
    }, 90_000);

    test('C6: what a killed replica held is let go when its lease ends; what a living one holds is not', async () => {
      await start(2, { routes: { fast: { concurrency: 4 } } });
      const [dies, lives] = replicas;
      upstream.onModel(MODEL, { stall: { at: { events: 1 } } });
      const lost = [ask(dies), ask(dies)].map((call) => call.catch(() => ({ status: 0, text: '' })));
      const kept = [ask(lives), ask(lives)];
      await eventually('four are in flight', () => upstream.requests.length === 4);
      expect((await ask(lives)).status).toBe(429);
      await dies?.kill();
      replicas = lives === undefined ? [] : [lives];
      expect((await ask(lives)).status).toBe(429);
      expect((await Promise.all(lost)).map(({ status }) => status)).toEqual([0, 0]);

      // Two places come free, and no more: the living replica has renewed its own beyond a lease by then.
      const more: Promise<Outcome>[] = [];
      await eventually(
        'two more are in flight',
        async () => {
          const call = ask(lives);
          const early = await Promise.race([call, upstream.request(4 + more.length)]);
          if (!('status' in early)) more.push(call);
          return more.length === 2;
        },
        LEASE_LIMIT_MS,
      );
      expect((await ask(lives)).status).toBe(429);
      expect((await letGo([...kept, ...more])).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    }, 90_000);

    test('C7: a budget in shadow mode refuses nothing on any replica, and the same in force does', async () => {
      const budget = { budget_usd_per_day: ESTIMATE_MICROS / 1e6 };
      await start(2, { tenants: { '*': { ...budget, shadow: true } } });
      expect(counted(await Promise.all(askAll(20)), 200)).toBe(20);
      await Promise.all(replicas.map((replica) => replica.stop()));
      await start(2, { tenants: { '*': budget } });
      // The counters know what was spent while it was only observed.
      expect(counted(await Promise.all(askAll(20)), 402)).toBe(20);
    }, 90_000);

    test('F13: four replicas, 200 parallel streams, a budget worth 50; one replica is killed', async () => {
      const budgetMicros = 50 * ESTIMATE_MICROS;
      await start(4, { tenants: { '*': { budget_usd_per_month: budgetMicros / 1e6 } } });
      upstream.onModel(MODEL, { stall: { at: { events: 1 } } });
      const calls = askAll(200).map((call) => call.catch(() => ({ status: 0, text: '' })));
      const ended = watch(calls);
      await eventually('150 are refused', () => ended(402) === 150, 60_000);
      await eventually('50 are in flight', () => upstream.requests.length === 50);

      const [killed, ...living] = replicas;
      await killed?.kill();
      replicas = living;
      const outcomes = await letGo(calls);
      const answered = counted(outcomes, 200);
      expect(answered + counted(outcomes, 0)).toBe(50);
      // Every stream that ended well is in a ledger, once, at its price; nothing else is.
      expect(spentMicros()).toBe(answered * COST_MICROS);

      // What is left of the budget can be spent to the last call, and not beyond; what the dead replica held too.
      upstream.reset();
      const leftFor = (): number => Math.floor((budgetMicros - spentMicros() - ESTIMATE_MICROS) / COST_MICROS) + 1;
      await eventually(
        'the budget is used up',
        async () => {
          await Promise.all(askAll(30));
          return leftFor() <= 0;
        },
        LEASE_LIMIT_MS,
      );
      const last = await Promise.all(askAll(12));
      expect(counted(last, 402)).toBe(12);
      expect(spentMicros()).toBeLessThanOrEqual(budgetMicros);
      expect(spentMicros()).toBeGreaterThan(budgetMicros - ESTIMATE_MICROS);
      expect(spentMicros() % COST_MICROS).toBe(0);
    }, 120_000);
  },
);
