import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const MODEL = 'gpt-4o-mini';
const DOLLAR = { input_per_million: 1, output_per_million: 1 };

describe('limits of everyone that a call counts towards', () => {
  let upstream: FakeProvider;
  let spare: FakeProvider;
  let server: TestServer;
  beforeAll(async () => {
    upstream = await startFakeProvider();
    spare = await startFakeProvider();
    const provider = { wire: 'openai' as const, api_key: 'x', models: [MODEL], prices: { [MODEL]: DOLLAR } };
    server = await startSekisho({
      config: {
        discover: false,
        handbook: false,
        providers: {
          up: { ...provider, base_url: upstream.baseUrl },
          spare: { ...provider, base_url: spare.baseUrl },
        },
        routes: {
          fast: [`up/${MODEL}`],
          rare: [`up/${MODEL}`],
          backed: [`spare/${MODEL}`, `up/${MODEL}`],
          alone: [`spare/${MODEL}`],
        },
        limits: {
          keys: { 'by name': { requests_per_day: 1 } },
          teams: { red: { requests_per_day: 2 } },
          users: { '*': { requests_per_day: 1 } },
          routes: { rare: { requests_per_hour: 1 } },
          targets: { [`spare/${MODEL}`]: { requests_per_day: 1 } },
        },
        logging: { level: 'silent' },
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    await Promise.all([upstream.stop(), spare.stop()]);
  });
  beforeEach(() => {
    upstream.reset();
    spare.reset();
  });

  async function newKey(name: string, more: JsonObject = {}): Promise<string> {
    const made = await fetch(`${server.url}/v1/keys`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
      body: JSON.stringify({ name, ...more }),
    });
    const body = parseJson(await made.text());
    if (!isJsonObject(body) || typeof body['key'] !== 'string') throw new Error(JSON.stringify(body));
    return body['key'];
  }
  async function ask(key: string, more: JsonObject = {}) {
    const response = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, 'accept-language': 'en' },
      body: JSON.stringify({ model: 'fast', max_tokens: 9, messages: [{ role: 'user', content: 'Open?' }], ...more }),
    });
    const body = parseJson(await response.text());
    const error = isJsonObject(body) && isJsonObject(body['error']) ? body['error'] : {};
    return { status: response.status, headers: response.headers, message: String(error['message']) };
  }

  test('a key without limits of its own takes those of its name, each key for itself', async () => {
    for (const key of [await newKey('by name'), await newKey('by name')]) {
      expect((await ask(key)).status).toBe(200);
      expect(await ask(key)).toMatchObject({ status: 429, message: expect.stringContaining('limit of this key') });
    }
  });

  test('the keys of a team share its limit', async () => {
    const [one, two] = [await newKey('one', { team: 'red' }), await newKey('two', { team: 'red' })];
    expect((await ask(one)).status).toBe(200);
    expect((await ask(two)).status).toBe(200);
    expect(await ask(one)).toMatchObject({ status: 429, message: expect.stringContaining('the team "red"') });
    expect((await ask(await newKey('three', { team: 'blue' }))).status).toBe(200);
  });

  test('an end user is limited whichever key names it', async () => {
    const [one, two] = [await newKey('app'), await newKey('other app')];
    expect((await ask(one, { user: 'ann' })).status).toBe(200);
    expect((await ask(two, { user: 'bob' })).status).toBe(200);
    expect(await ask(two, { user: 'ann' })).toMatchObject({
      status: 429,
      message: expect.stringContaining('limit of this end user is reached: 1 requests per day'),
    });
  });

  test('a route is limited for all of its callers; the refusal says when, and how much is left', async () => {
    const [one, two] = [await newKey('app'), await newKey('other app')];
    expect((await ask(one, { model: 'rare' })).headers.get('x-ratelimit-reset-requests')).toMatch(/^(59m59|1h0m0).*s$/);
    const refused = await ask(two, { model: 'rare' });
    expect(refused).toMatchObject({ status: 429, message: expect.stringContaining('the model "rare"') });
    expect(Number(refused.headers.get('retry-after'))).toBeWithin(3_590, 3_601);
    expect(refused.headers.get('x-ratelimit-limit-requests')).toBe('1');
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect((await ask(two)).status).toBe(200);
  });

  test('a target at its limit is passed over; where it is the only one, the call is refused', async () => {
    const key = await newKey('app');
    expect((await ask(key, { model: 'backed' })).headers.get('x-sekisho-target')).toBe(`spare/${MODEL}`);
    expect((await ask(key, { model: 'backed' })).headers.get('x-sekisho-target')).toBe(`up/${MODEL}`);
    expect(spare.requests).toHaveLength(1);
    const refused = await ask(key, { model: 'alone' });
    expect(refused).toMatchObject({ status: 429, message: expect.stringContaining(`the target "spare/${MODEL}"`) });
    expect(refused.headers.get('retry-after')).not.toBeNull();
  });
});
