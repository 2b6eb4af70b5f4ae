import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
let met = 0;
/** Where an attacker would like calls and credentials to go. */
const elsewhere = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: () => {
    met++;
    return Response.json({});
  },
});
beforeAll(async () => {
  stage = await startStage();
});
afterAll(async () => {
  await stage.stop();
  await elsewhere.stop(true);
});
beforeEach(() => stage.reset());

const THEIRS = `http://127.0.0.1:${elsewhere.port}/v1`;

/** Names by which gateways and SDKs take an address, a credential or a proxy with a request. */
const FIELDS: Record<string, unknown> = {
  api_base: THEIRS,
  base_url: THEIRS,
  baseURL: THEIRS,
  api_key: 'sk-theirs',
  api_version: '2020-01-01',
  organization: 'theirs',
  proxy: THEIRS,
  http_proxy: THEIRS,
  headers: { authorization: 'Bearer sk-theirs', host: 'evil.example' },
  extra_headers: { authorization: 'Bearer sk-theirs' },
  extra_body: { api_base: THEIRS },
  custom_llm_provider: 'theirs',
  provider: { base_url: THEIRS },
  model_list: [{ litellm_params: { api_base: THEIRS } }],
  fallbacks: [{ api_base: THEIRS }],
  target: THEIRS,
  targets: [THEIRS],
  config: { targets: [{ custom_host: THEIRS }] },
  custom_host: THEIRS,
  mock_response: 'pwned',
  aws_region_name: '.evil.example/',
  metadata: { api_base: THEIRS, headers: { authorization: 'Bearer sk-theirs' } },
};

const HEADERS: Record<string, string> = {
  'x-api-base': THEIRS,
  'x-base-url': THEIRS,
  'x-portkey-custom-host': THEIRS,
  'x-portkey-config': JSON.stringify({ provider: 'openai', custom_host: THEIRS }),
  'x-portkey-provider': 'theirs',
  'helicone-target-url': THEIRS,
  'openai-organization': 'theirs',
  'x-sekisho-target': 'theirs/model',
  'x-sekisho-base-url': THEIRS,
  proxy: THEIRS,
  'x-forwarded-host': 'evil.example',
  forwarded: 'host=evil.example',
};

const MESSAGES = [{ role: 'user', content: 'hi' }];
/** A body for each address that reaches an upstream, by route. */
const CALLS: [path: string, routes: string[], body: object][] = [
  ['/v1/chat/completions', ['fast', 'sonnet', 'gemini', 'bedrock'], { messages: MESSAGES }],
  ['/v1/messages', ['fast', 'sonnet', 'gemini', 'bedrock'], { messages: MESSAGES, max_tokens: 9 }],
  ['/v1/responses', ['fast', 'sonnet', 'forms'], { input: 'hi' }],
  ['/v1/completions', ['fast', 'forms'], { prompt: 'hi' }],
  ['/v1/embeddings', ['embed'], { input: 'hi' }],
  ['/v1/rerank', ['fast'], { query: 'q', documents: ['d'] }],
  ['/v1/generate', ['fast'], { prompt: 'hi' }],
  ['/v1/summarize', ['fast'], { text: 'hi' }],
  ['/v1/embed', ['embed'], { input: 'hi' }],
  ['/v1/messages/count_tokens', ['sonnet'], { messages: MESSAGES }],
];

describe.each(CALLS)('attack 1: %s', (path, routes, body) => {
  test('no field of the body chooses where a call goes or with which credential', async () => {
    for (const route of routes) {
      for (const [name, value] of Object.entries(FIELDS)) {
        stage.reset();
        const response = await stage.post(path, { ...body, model: route, [name]: value });
        const text = await response.text();
        expect([route, name, response.status < 500]).toEqual([route, name, true]);
        expect(text).not.toContain(CREDENTIAL);
        for (const { headers } of stage.upstream.requests) {
          expect(JSON.stringify(headers)).not.toContain('sk-theirs');
          expect(JSON.stringify(headers)).toContain(CREDENTIAL);
          expect(headers['host']).toBe(new URL(stage.upstream.origin).host);
        }
      }
    }
    expect(met).toBe(0);
  });

  test('no header and no query of the caller does, and none of them travels on', async () => {
    const query = new URLSearchParams({ api_base: THEIRS, base_url: THEIRS, key: 'theirs', 'api-version': 'theirs' });
    for (const route of routes) {
      stage.reset();
      const response = await stage.post(`${path}?${query}`, { ...body, model: route }, { headers: HEADERS });
      await response.text();
      expect(response.status).toBeLessThan(500);
      for (const sent of stage.upstream.requests) {
        const { host, ...headers } = sent.headers;
        expect(host).toBe(new URL(stage.upstream.origin).host);
        expect(JSON.stringify([sent.path, headers])).not.toMatch(/theirs|evil\.example/);
        expect(JSON.stringify(headers)).not.toContain(String(elsewhere.port));
        // The caller's own key ends here.
        expect(JSON.stringify([headers, sent.body])).not.toContain(stage.server.adminKey);
      }
    }
    expect(met).toBe(0);
  });
});

test('attack 1: a model name is a name and never an address', async () => {
  for (const model of [
    `openai/${THEIRS}`,
    `${THEIRS}/gpt-4o-mini`,
    `up/../../admin`,
    'up/../v1/models?x=',
    'google/../../../v1/models',
    'google/x:streamGenerateContent?key=theirs#',
    'amazon/../../x',
    'amazon/arn:aws:bedrock:us-east-1:1:x/../../y',
    `up@${new URL(THEIRS).host}/m`,
  ]) {
    stage.reset();
    await (await stage.post('/v1/chat/completions', { model, messages: MESSAGES })).text();
    for (const { path } of stage.upstream.requests) {
      expect([model, path]).toEqual([
        model,
        expect.stringMatching(
          /^\/v1\/chat\/completions$|^\/v1beta\/models\/[^/?#]+:generateContent$|^\/model\/[^/?#]+\/converse$/,
        ),
      ]);
    }
  }
  expect(met).toBe(0);
});
