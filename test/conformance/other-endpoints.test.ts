import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, objectAt, type JsonObject } from '../../src/lib/json.ts';
import { COUNTED_TOKENS } from '../support/fake-provider/count-tokens.ts';
import { readStream } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { TEXT } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

async function bodyOf(response: Response): Promise<JsonObject> {
  const body: unknown = await response.json();
  if (!isJsonObject(body)) throw new Error('not an object');
  return body;
}

describe.each(['fast', 'sonnet', 'forms'])('openai SDK, completions -> %s', (model) => {
  test('plain', async () => {
    const answer = await stage.openai.completions.create({ model, prompt: 'Is the gate open?', max_tokens: 50 });
    expect(answer.object).toBe('text_completion');
    expect(answer.choices).toEqual([{ text: TEXT, index: 0, logprobs: null, finish_reason: 'stop' }]);
    expect(answer.usage).toMatchObject({ prompt_tokens: 17 });
  });

  test('stream, with usage only where asked for', async () => {
    const ask = { model, prompt: 'Is the gate open?', stream: true } as const;
    let text = '';
    for await (const chunk of await stage.openai.completions.create(ask)) {
      expect(chunk.usage ?? undefined).toBeUndefined();
      text += chunk.choices[0]?.text ?? '';
    }
    expect(text).toBe(TEXT);
    let usage = 0;
    const counted = await stage.openai.completions.create({ ...ask, stream_options: { include_usage: true } });
    for await (const chunk of counted) usage += chunk.usage?.prompt_tokens ?? 0;
    expect(usage).toBe(17);
    expect(stage.ledger.rows().at(-1)).toMatchObject({ outcome: 'ok', input_tokens: 17, usage_basis: 'reported' });
  });
});

describe('completions', () => {
  test('several prompts are answered by a target that takes them, and counted to the last', async () => {
    const answer = await stage.openai.completions.create({ model: 'forms', prompt: ['a', 'b'], echo: true });
    expect(answer.choices).toHaveLength(2);
    expect(stage.upstream.requests[0]?.json).toMatchObject({ prompt: ['a', 'b'], echo: true });
    const seen = await readStream(
      await stage.post('/v1/completions', { model: 'forms', prompt: ['a', 'b'], stream: true }),
    );
    expect(seen.data.at(-1)).toBe('[DONE]');
    expect(await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'))).toMatchObject({ outcome: 'ok' });
  });

  test.each([
    ['more than one prompt', { prompt: ['a', 'b'] }],
    ['prompt of tokens', { prompt: [1, 2] }],
    ['suffix', { suffix: 'end' }],
    ['best_of', { best_of: 2 }],
    ['logprobs', { logprobs: 3 }],
    ['echo', { echo: true }],
    ['n of completions', { n: 2 }],
  ])('%s is refused where only chat is spoken', async (name, more) => {
    const response = await stage.post('/v1/completions', { model: 'fast', prompt: 'a', ...more });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(name);
    expect(stage.upstream.requests).toHaveLength(0);
  });
});

describe('anthropic SDK, count_tokens', () => {
  const ask = { messages: [{ role: 'user' as const, content: 'How many gates has the road? '.repeat(10) }] };

  test('asks an upstream that counts, and writes it into the ledger at no cost', async () => {
    const { data, response } = await stage.anthropic.messages.countTokens({ model: 'sonnet', ...ask }).withResponse();
    expect(data.input_tokens).toBe(COUNTED_TOKENS);
    expect(stage.upstream.requests[0]?.path).toBe('/v1/messages/count_tokens');
    expect(stage.upstream.requests[0]?.json['model']).toBe('claude-sonnet-4-5');
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', input_tokens: 0, output_tokens: 0, cost_micros: 0 });
  });

  test('counts here for other wires, near to the truth', async () => {
    const counted = await stage.anthropic.messages.countTokens({ model: 'fast', ...ask });
    expect(counted.input_tokens).toBeGreaterThan(60);
    expect(counted.input_tokens).toBeLessThan(120);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('counts here where the upstream lacks the address', async () => {
    stage.upstream.script({ fail: { status: 404 } });
    const counted = await stage.anthropic.messages.countTokens({ model: 'sonnet', ...ask });
    expect(counted.input_tokens).not.toBe(COUNTED_TOKENS);
    expect(counted.input_tokens).toBeGreaterThan(50);
  });

  test('errors speak the dialect', async () => {
    const response = await stage.post('/v1/messages/count_tokens', { model: 'nobody', ...ask });
    expect(response.status).toBe(404);
    expect(await bodyOf(response)).toMatchObject({ type: 'error', error: { type: 'not_found_error' } });
  });
});

describe('plain endpoints', () => {
  test('generate, whole and streamed', async () => {
    const ask = { model: 'sonnet', prompt: 'Is the gate open?', system: 'You keep it.', max_tokens: 50 };
    const whole = await bodyOf(await stage.post('/v1/generate', ask));
    expect(whole).toMatchObject({ text: TEXT, finish: 'stop', usage: { input_tokens: 17 } });
    expect(stage.upstream.requests[0]?.json).toMatchObject({ max_tokens: 50 });
    const seen = await readStream(await stage.post('/v1/generate', { ...ask, stream: true }));
    expect(seen.data.at(-1)).toEqual(whole);
    expect(
      seen.data
        .slice(0, -1)
        .map((each) => (isJsonObject(each) ? each['text'] : ''))
        .join(''),
    ).toBe(TEXT);
    expect(seen.headers.get('x-sekisho-target')).toBe('claude/claude-sonnet-4-5');
  });

  test('generate without a model says so, a broken stream ends in an error', async () => {
    expect((await stage.post('/v1/generate', { prompt: 'x' })).status).toBe(400);
    stage.upstream.script({ break: { at: { events: 5 }, how: 'cut' } });
    const seen = await readStream(await stage.post('/v1/generate', { model: 'fast', prompt: 'x', stream: true }));
    expect(seen.data.at(-1)).toMatchObject({ error: { code: 'upstream_broken' } });
  });

  test('summarize without a model gives sentences of the text', async () => {
    const text =
      '関所では旅人の荷物を検査した。茶屋があった。荷物の検査は関所の役人が行った。役人は旅人の手形も関所で検査した。';
    const answer = await bodyOf(await stage.post('/v1/summarize', { text, length: 'short' }));
    const sentences = String(answer['summary']).split('。').filter(Boolean);
    expect(sentences).toHaveLength(2);
    for (const sentence of sentences) expect(text).toContain(sentence);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('summarize with a model asks it in the language of the text, the text apart from the task', async () => {
    const ask = { model: 'fast', text: '関所では旅人の荷物を検査した。', style: '箇条書き', length: 'short' };
    const answer = await bodyOf(await stage.post('/v1/summarize', ask));
    expect(answer['summary']).toBe(TEXT);
    const [system, user] = Array.isArray(stage.upstream.requests[0]?.json['messages'])
      ? stage.upstream.requests[0].json['messages']
      : [];
    expect(system).toMatchObject({ role: 'system', content: expect.stringContaining('要約') });
    expect(user).toEqual({ role: 'user', content: ask.text });
  });

  test('embed: the model of this process without asking anybody, any other by name', async () => {
    const own = await bodyOf(await stage.post('/v1/embed', { texts: ['gate', '関所'], purpose: 'query' }));
    expect(own).toMatchObject({ model: 'static-en-ja' });
    expect(own['embeddings']).toHaveLength(2);
    expect(stage.upstream.requests).toHaveLength(0);
    const named = await bodyOf(await stage.post('/v1/embed', { input: 'gate of embed', model: 'embed' }));
    expect(named['embeddings']).toHaveLength(1);
    expect(objectAt(named, 'usage')?.['input_tokens']).toBeGreaterThan(0);
  });

  test.each([
    ['/v1/embed', { input: 'a', texts: ['b'] }],
    ['/v1/embed', {}],
    ['/v1/summarize', { text: '' }],
    ['/v1/summarize', { text: 'a', language: 'ja' }],
    ['/v1/generate', { model: 'fast', prompt: 'a', tools: [] }],
    ['/v1/rerank', { model: 'fast', query: 'q', documents: [] }],
    ['/v1/rerank', { model: 'fast', query: 'q', documents: [{ title: 'x' }] }],
    ['/v1/rerank', { model: 'fast', query: 'q', documents: ['a'], rank_fields: ['x'] }],
  ])('%s refuses %j', async (path, body) => {
    const response = await stage.post(path, body);
    expect(response.status).toBe(400);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test.each(['/v1/rerank', '/v2/rerank'])('%s: the best first, as many as wanted, with the documents', async (path) => {
    const documents = ['Carson City', { text: 'Washington', title: 'the capital' }, '東京'];
    const ask = { model: 'fast', query: 'capital?', documents, top_n: 2, return_documents: true };
    const response = await stage.post(path, ask);
    const answer = await bodyOf(response);
    expect(answer['results']).toEqual([
      { index: 2, relevance_score: 0.3, document: { text: '東京' } },
      { index: 1, relevance_score: 0.2, document: { text: 'Washington', title: 'the capital' } },
    ]);
    expect(answer).toMatchObject({ id: 'rerank-fake0001', usage: { total_tokens: 21 } });
    expect(stage.upstream.requests[0]?.json).toMatchObject({ documents: ['Carson City', 'Washington', '東京'] });
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', input_tokens: 21 });
    const bare = await bodyOf(await stage.post(path, { ...ask, return_documents: false }));
    expect(JSON.stringify(bare)).not.toContain('document"');
  });

  test('rerank over a target that cannot is refused by name', async () => {
    const response = await stage.post('/v2/rerank', { model: 'sonnet', query: 'q', documents: ['a'] });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('reranking');
  });

  test('every one of them wants a key', async () => {
    for (const path of [
      '/v1/responses',
      '/v1/completions',
      '/v1/messages/count_tokens',
      '/v1/rerank',
      '/v2/rerank',
      '/v1/generate',
      '/v1/summarize',
      '/v1/embed',
    ]) {
      const response = await fetch(`${stage.server.url}${path}`, { method: 'POST', body: '{}' });
      expect([path, response.status]).toEqual([path, 401]);
    }
  });
});
