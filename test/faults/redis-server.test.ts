import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { redisAvailable, redisMissing, startRedis, type RedisServer } from '../support/redis-server.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

/** What a call may take while Redis does not answer, on a busy machine. */
const BOUND_MS = 2_000;
const RECOVERY_MS = 5_000;
const MODEL = 'gpt-4o-mini';

describe.skipIf(!redisAvailable)(`fault 5: a server whose Redis fails${redisMissing}`, () => {
  let redis: RedisServer;
  let upstream: FakeProvider;
  let server: TestServer;
  beforeAll(async () => {
    redis = await startRedis();
    upstream = await startFakeProvider();
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
    await upstream.stop();
    await redis.stop();
  });
  beforeEach(() => upstream.reset());

  const start = (): Promise<TestServer> =>
    startSekisho({
      config: {
        discover: false,
        handbook: false,
        redis: { url: redis.url },
        providers: {
          up: {
            wire: 'openai',
            base_url: upstream.baseUrl,
            api_key: 'x',
            models: [MODEL],
            prices: { [MODEL]: { input_per_million: 1, output_per_million: 1 } },
          },
        },
        routes: { fast: [`up/${MODEL}`] },
        logging: { level: 'silent' },
      },
    });

  async function ask(
    key: string,
    at = server,
  ): Promise<{ status: number; code: unknown; headers: Headers; ms: number }> {
    const startMs = performance.now();
    const response = await fetch(`${at.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'fast', max_tokens: 20, messages: [{ role: 'user', content: 'Is it open?' }] }),
    });
    const body = parseJson(await response.text());
    const error = isJsonObject(body) ? body['error'] : undefined;
    const code = isJsonObject(error) ? error['code'] : undefined;
    return { status: response.status, code, headers: response.headers, ms: performance.now() - startMs };
  }

  test.each([
    ['killed', () => redis.kill(), () => redis.restart()],
    ['stopped', () => Promise.resolve(redis.pause()), () => Promise.resolve(redis.resume())],
    ['out of memory', () => redis.configSet('maxmemory', '1'), () => redis.configSet('maxmemory', '0')],
  ])(
    '%s: calls without limits pass, limits count alone, budgets are a 503, all within bounds; then all is well',
    async (_, begin, end) => {
      const free = await server.createKey({ name: 'free' });
      const limited = await server.createKey({ name: 'limited', limits: { requestsPerMinute: 10 } });
      const budgeted = await server.createKey({ name: 'budgeted', limits: { budgetMicros: 1_000 } });
      for (const key of [free, limited, budgeted]) expect((await ask(key)).status).toBe(200);

      await begin();
      const answers = await Promise.all(
        Array.from({ length: 30 }, async () => ({
          free: await ask(free),
          limited: await ask(limited),
          budgeted: await ask(budgeted),
        })),
      );
      expect(new Set(answers.map((each) => each.free.status))).toEqual(new Set([200]));
      // What Redis knows of is forgotten: this process counts its own ten.
      expect(answers.filter((each) => each.limited.status === 200)).toHaveLength(10);
      expect(answers.filter((each) => each.limited.code === 'rate_limited')).toHaveLength(20);
      expect(new Set(answers.map((each) => each.budgeted.code))).toEqual(new Set(['storage_unavailable']));
      for (const each of answers.flatMap(Object.values)) expect(each.ms).toBeLessThan(BOUND_MS);

      await end();
      const back = await eventually(
        'budgets count again',
        async () => {
          const answer = await ask(budgeted);
          return answer.status === 200 && answer;
        },
        RECOVERY_MS,
      );
      expect(back.ms).toBeLessThan(BOUND_MS);
      expect((await ask(free)).status).toBe(200);
    },
    30_000,
  );

  test('a server starts without its Redis, serves what it may, and counts when Redis comes', async () => {
    await redis.kill();
    const late = await start();
    const free = await late.createKey({ name: 'free' });
    const budgeted = await late.createKey({ name: 'budgeted', limits: { budgetMicros: 1_000 } });
    expect((await ask(free, late)).status).toBe(200);
    expect(await ask(budgeted, late)).toMatchObject({ status: 503, code: 'storage_unavailable' });
    await redis.restart();
    await eventually('budgets count', async () => (await ask(budgeted, late)).status === 200, RECOVERY_MS);
    await late.stop();
  }, 30_000);

  test('an answer tells how much is left by the count of Redis', async () => {
    const key = await server.createKey({ name: 'told', limits: { requestsPerMinute: 60, tokensPerMinute: 6_000 } });
    await ask(key);
    const { headers } = await ask(key);
    expect(headers.get('x-ratelimit-limit-requests')).toBe('60');
    expect(headers.get('x-ratelimit-remaining-requests')).toBe('58');
    expect(headers.get('x-ratelimit-reset-requests')).toMatch(/^(1\.\d+|2)s$/);
    expect(Number(headers.get('x-ratelimit-remaining-tokens'))).toBeWithin(5_800, 6_000);
  });
});
