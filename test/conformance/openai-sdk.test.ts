import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type OpenAI from 'openai';
import { fakeVector } from '../support/fake-provider/recorded-embedding.ts';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';
import { PARALLEL_CALLS, TEXT, WEATHER_TOOL, collectStream } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Is the gate open?' }];

describe('openai SDK -> openai wire', () => {
  test('plain', async () => {
    const answer = await stage.openai.chat.completions.create({ model: 'fast', messages });
    expect(answer.choices[0]?.message.content).toBe(TEXT);
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.usage?.total_tokens).toBe(30);
    const upstream = stage.upstream.requests[0];
    expect(upstream?.json['model']).toBe('gpt-4o-mini');
    expect(upstream?.headers['authorization']).toBe(`Bearer ${CREDENTIAL}`);
  });

  test('stream', async () => {
    const stream = await stage.openai.chat.completions.create({ model: 'fast', messages, stream: true });
    const seen = await collectStream(stream);
    expect(seen.text).toBe(TEXT);
    expect(seen.finish).toBe('stop');
    expect(seen.usage).toBeUndefined();
  });

  test('stream with usage where it was asked for', async () => {
    const seen = await collectStream(
      await stage.openai.chat.completions.create({
        model: 'fast',
        messages,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    expect(seen.text).toBe(TEXT);
    expect(seen.usage).toMatchObject({ prompt_tokens: 17, completion_tokens: 13, total_tokens: 30 });
  });

  test('tools, and the result of a tool sent back', async () => {
    const first = await stage.openai.chat.completions.create({ model: 'fast', messages, tools: [WEATHER_TOOL] });
    const call = first.choices[0]?.message.tool_calls?.[0];
    expect(call).toEqual(PARALLEL_CALLS[0]);
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    const answer = first.choices[0]?.message;
    if (!answer) throw new Error('no message');
    const second = await stage.openai.chat.completions.create({
      model: 'fast',
      messages: [...messages, answer, { role: 'tool', tool_call_id: 'call_tokyo01', content: '{"celsius":21}' }],
      tools: [WEATHER_TOOL],
    });
    expect(second.choices[0]?.message.content).toBe(TEXT);
    expect(stage.upstream.requests[1]?.json['messages']).toHaveLength(3);
  });

  test('parallel tools, plain and streamed', async () => {
    stage.upstream.script({ answer: 'parallel-tools' }, { answer: 'parallel-tools' });
    const ask = { model: 'fast', messages, tools: [WEATHER_TOOL], parallel_tool_calls: true };
    const plain = await stage.openai.chat.completions.create(ask);
    expect(plain.choices[0]?.message.tool_calls).toEqual(PARALLEL_CALLS);
    const seen = await collectStream(await stage.openai.chat.completions.create({ ...ask, stream: true }));
    expect(seen.calls).toEqual(PARALLEL_CALLS);
    expect(seen.finish).toBe('tool_calls');
  });

  test('structured output', async () => {
    const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
    const answer = await stage.openai.chat.completions.create({
      model: 'fast',
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'gate', strict: true, schema } },
    });
    const content = answer.choices[0]?.message.content ?? '';
    expect(JSON.parse(content)).toEqual({ name: 'Hakone', founded: 1619, open: true });
    expect(stage.upstream.requests[0]?.json['response_format']).toEqual({
      type: 'json_schema',
      json_schema: { name: 'gate', strict: true, schema },
    });
  });

  test('embeddings, as base64 by the SDK itself and as floats', async () => {
    const wanted = Array.from(fakeVector('関所', 8));
    const base64 = await stage.openai.embeddings.create({ model: 'embed', input: ['gate', '関所'] });
    expect(base64.data[1]?.embedding).toEqual(wanted);
    expect(base64.data[1]?.index).toBe(1);
    const float = await stage.openai.embeddings.create({ model: 'embed', input: '関所', encoding_format: 'float' });
    expect(float.data[0]?.embedding).toEqual(wanted);
    // The vector was kept from the call before, so that nothing was used.
    expect(float.usage.prompt_tokens).toBe(0);
  });

  test('models list and retrieve', async () => {
    const names: string[] = [];
    for await (const model of stage.openai.models.list()) names.push(model.id);
    expect(names).toContain('fast');
    expect(names).toContain('embed');
    expect((await stage.openai.models.retrieve('fast')).id).toBe('fast');
  });

  test('messages, vision parts and unknown fields reach the upstream byte for byte', async () => {
    const raw =
      '{ "model" :"fast",  "messages":[{"role":"user","content":[{"type":"text","text":"\\u95a2所 \\/ 1e2"},' +
      '{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]}],' +
      ' "x_vendor_field":{"deep":[1.50,2,{"k":null}]},"seed":12345678901234567890, "temperature":0.10}';
    const response = await fetch(`${stage.server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${stage.server.adminKey}` },
      body: raw,
    });
    expect(response.status).toBe(200);
    expect(stage.upstream.requests[0]?.body).toBe(raw.replace('"fast"', '"gpt-4o-mini"'));
  });

  test('the answer comes back byte for byte, with the headers of the call', async () => {
    const body =
      '{"id":"x",  "object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",' +
      '"content":"a\\/b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,' +
      '"total_tokens":5},"vendor_extra":1.50}\n';
    stage.upstream.script({ body });
    const response = await stage.post('/v1/chat/completions', { model: 'fast', messages });
    expect(await response.text()).toBe(body);
    expect(response.headers.get('x-sekisho-request-id')).toStartWith('req_');
    expect(response.headers.get('x-sekisho-route')).toBe('fast');
    expect(response.headers.get('x-sekisho-target')).toBe('up/gpt-4o-mini');
    expect(response.headers.get('x-sekisho-cost-usd')).toBe('0.000002');
    expect(Number(response.headers.get('x-sekisho-overhead-ms'))).toBeGreaterThanOrEqual(0);
  });

  test('an abort by the SDK reaches the upstream', async () => {
    stage.upstream.script({ stall: { at: { events: 3 } } });
    const stream = await stage.openai.chat.completions.create({ model: 'fast', messages, stream: true });
    let chunks = 0;
    for await (const _ of stream) {
      chunks++;
      if (chunks === 2) stream.controller.abort();
    }
    await (
      await stage.upstream.request(0)
    ).aborted;
    expect(stage.upstream.aborts).toBe(1);
  });
});
