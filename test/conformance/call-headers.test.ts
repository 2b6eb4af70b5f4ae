import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const BODY = { model: 'fast', messages: [{ role: 'user', content: 'hi' }] };
const TRACE = '0af7651916cd43dd8448eb211c80319c';

describe('headers of a call', () => {
  test.each([
    { 'x-sekisho-tags': 'a, team=blue,%E9%96%A2%E6%89%80' },
    { 'x-sekisho-tags': '' },
    { 'x-sekisho-session': 'conversation 7' },
    { 'x-sekisho-cache': 'bypass' },
    { 'x-sekisho-cache': 'refresh', 'x-sekisho-cache-ttl': '60' },
    { 'x-sekisho-cache-ttl': '60' },
    { traceparent: `00-${TRACE}-b7ad6b7169203331-01` },
    { traceparent: 'not a trace' },
    { 'anthropic-beta': 'x'.repeat(5_000) },
  ])('%j is taken', async (headers) => {
    const response = await stage.post('/v1/chat/completions', BODY, { headers });
    expect(response.status).toBe(200);
    for (const name of ['request-id', 'route', 'target', 'cache', 'overhead-ms', 'cost-usd']) {
      expect([name, response.headers.has(`x-sekisho-${name}`)]).toEqual([name, true]);
    }
  });

  test.each([
    ['x-sekisho-tags', { 'x-sekisho-tags': Array.from({ length: 21 }, (_, at) => `t${at}`).join(',') }],
    ['x-sekisho-tags', { 'x-sekisho-tags': 'x'.repeat(129) }],
    ['x-sekisho-tags', { 'x-sekisho-tags': 'x'.repeat(9_000) }],
    ['x-sekisho-tags', { 'x-sekisho-tags': 'caf\u00e9' }],
    ['x-sekisho-tags', { 'x-sekisho-tags': '%E9%96' }],
    ['x-sekisho-session', { 'x-sekisho-session': 'x'.repeat(257) }],
    ['x-sekisho-cache', { 'x-sekisho-cache': 'maybe' }],
    ['x-sekisho-cache-ttl', { 'x-sekisho-cache-ttl': '0' }],
    ['x-sekisho-cache-ttl', { 'x-sekisho-cache-ttl': '1e9' }],
    ['x-sekisho-cache-ttl', { 'x-sekisho-cache-ttl': '99999999' }],
  ])('%s that is wrong is a 400 on every model route', async (name, headers) => {
    const bodies: [string, object][] = [
      ['/v1/chat/completions', BODY],
      ['/v1/messages', { ...BODY, max_tokens: 9 }],
      ['/v1/responses', { model: 'fast', input: 'hi' }],
      ['/v1/completions', { model: 'fast', prompt: 'hi' }],
      ['/v1/messages/count_tokens', BODY],
      ['/v1/embeddings', { model: 'embed', input: 'hi' }],
      ['/v1/rerank', { model: 'fast', query: 'q', documents: ['a'] }],
      ['/v1/generate', { model: 'fast', prompt: 'hi' }],
      ['/v1/summarize', { model: 'fast', text: 'hi' }],
      ['/v1/embed', { input: 'hi' }],
    ];
    for (const [path, body] of bodies) {
      const response = await stage.post(path, body, { headers });
      expect([path, response.status]).toEqual([path, 400]);
      expect(await response.text()).toContain(name);
    }
    expect(stage.upstream.requests).toHaveLength(0);
  });
});
