import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const messages = [{ role: 'user', content: 'Is the gate open?' }];
const ask = (authorization: Record<string, string>, model = 'fast'): Promise<Response> =>
  fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization },
    body: JSON.stringify({ model, messages, max_tokens: 20 }),
  });
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const told = async (response: Response) => {
  const body: unknown = JSON.parse(await response.text());
  const error = isJsonObject(body) && isJsonObject(body['error']) ? body['error'] : {};
  return { status: response.status, code: error['code'] };
};

describe('who may pass', () => {
  test('no key, a wrong key and an empty key are told apart from nothing else', async () => {
    expect(await told(await ask({}))).toEqual({ status: 401, code: 'missing_key' });
    expect(await told(await ask(bearer('sk-sekisho-wrong')))).toEqual({ status: 401, code: 'invalid_key' });
    expect((await told(await ask({ authorization: 'Bearer ' }))).status).toBe(401);
    expect((await told(await ask({ authorization: 'Basic YTpi' }))).status).toBe(401);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('a key passes as a bearer and as x-api-key, and never reaches the upstream', async () => {
    const key = await stage.server.createKey({ name: 'app' });
    expect((await ask(bearer(key))).status).toBe(200);
    expect((await ask({ 'x-api-key': key })).status).toBe(200);
    for (const request of stage.upstream.requests) {
      expect(JSON.stringify(request.headers) + request.body).not.toContain(key);
    }
  });

  test('an expired key does not pass', async () => {
    const key = await stage.server.createKey({ name: 'old', expiresMs: Date.now() - 1_000 }).catch(() => undefined);
    if (key !== undefined) expect(await told(await ask(bearer(key)))).toEqual({ status: 401, code: 'invalid_key' });
  });

  test('a key passes on its routes only, and sees no others', async () => {
    const key = await stage.server.createKey({ name: 'narrow', allowedRoutes: ['fas*'] });
    expect((await ask(bearer(key))).status).toBe(200);
    expect(await told(await ask(bearer(key), 'sonnet'))).toEqual({ status: 403, code: 'route_forbidden' });
    expect(await told(await ask(bearer(key), 'up/gpt-4o-mini'))).toEqual({ status: 403, code: 'route_forbidden' });
    const models = await fetch(`${stage.server.url}/v1/models`, { headers: bearer(key) });
    const listed: unknown = JSON.parse(await models.text());
    const data = isJsonObject(listed) && Array.isArray(listed['data']) ? listed['data'] : [];
    expect(data.map((model) => isJsonObject(model) && model['id'])).toEqual(['fast']);
  });
});

describe('how much may pass', () => {
  test('requests per minute: refused with Retry-After, without a call to the upstream', async () => {
    const key = await stage.server.createKey({ name: 'slow', limits: { requestsPerMinute: 2 } });
    await ask(bearer(key));
    await ask(bearer(key));
    const refused = await ask(bearer(key));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await told(refused)).toEqual({ status: 429, code: 'rate_limited' });
    expect(stage.upstream.requests).toHaveLength(2);
  });

  test('C1: of many at once on a limit for one, exactly one passes', async () => {
    const key = await stage.server.createKey({ name: 'one', limits: { requestsPerMinute: 1 } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(bearer(key))));
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 429)).toHaveLength(19);
    expect(stage.upstream.requests).toHaveLength(1);
  });

  test('C1: of many at once on a budget for one, exactly one passes; then the budget is used up', async () => {
    // One reservation of about 17 tokens in and 20 out is some 15 micro-dollars; two do not fit into 20.
    const key = await stage.server.createKey({ name: 'poor', limits: { budgetMicros: 20 } });
    stage.upstream.onModel('gpt-4o-mini', { stall: { at: 'before-headers' } });
    const answers = Array.from({ length: 10 }, () => ask(bearer(key)));
    let refused = 0;
    for (const answer of answers) void answer.then((response) => (refused += response.status === 402 ? 1 : 0));
    await eventually('nine are refused', () => refused === 9);
    stage.upstream.release();
    const all = await Promise.all(answers);
    expect(all.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(stage.upstream.requests).toHaveLength(1);
    expect(await told(await ask(bearer(key)))).toEqual({ status: 402, code: 'budget_exhausted' });
  });

  test('concurrency: a second call waits for nobody and is refused; after the first it passes', async () => {
    const key = await stage.server.createKey({ name: 'alone', limits: { concurrency: 1 } });
    stage.upstream.script({ stall: { at: 'before-headers' } });
    const first = ask(bearer(key));
    await stage.upstream.stalled();
    expect(await told(await ask(bearer(key)))).toEqual({ status: 429, code: 'rate_limited' });
    stage.upstream.release();
    expect((await first).status).toBe(200);
    expect((await ask(bearer(key))).status).toBe(200);
  });

  test('a budgeted key may not call a model without a price; one without a budget may, at an unknown cost', async () => {
    const key = await stage.server.createKey({ name: 'budgeted', limits: { budgetMicros: 1_000_000 } });
    expect(await told(await ask(bearer(key), 'free'))).toEqual({ status: 402, code: 'unpriced_model' });
    const response = await ask(bearer(stage.server.adminKey), 'free');
    expect(response.status).toBe(200);
    expect(response.headers.get('x-sekisho-cost-usd')).toBeNull();
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row.cost_micros).toBeNull();
  });

  test('what fails upstream is given back', async () => {
    const key = await stage.server.createKey({ name: 'unlucky', limits: { budgetMicros: 40 } });
    stage.upstream.script(...Array.from({ length: 8 }, () => ({ fail: { status: 400 } })));
    for (let at = 0; at < 8; at++) expect((await ask(bearer(key))).status).toBe(400);
    expect((await ask(bearer(key))).status).toBe(200);
  });
});

test('the ledger has one row per call, priced by the token', async () => {
  const response = await ask(bearer(stage.server.adminKey));
  const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
  // 13 x 0.15 + 4 x 0.075 + 13 x 0.60 = 10.05 micro-dollars, rounded up once.
  expect(row).toMatchObject({
    route: 'fast',
    target: 'up/gpt-4o-mini',
    wire: 'openai',
    input_tokens: 17,
    cached_input_tokens: 4,
    output_tokens: 13,
    cost_micros: 11,
    outcome: 'ok',
    attempts: 1,
    streamed: 0,
  });
  expect(response.headers.get('x-sekisho-cost-usd')).toBe('0.000011');
});
