import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { collectStream, TEXT, WEATHER_TOOL } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const messages = [{ role: 'user' as const, content: 'Is the gate open?' }];
const SCHEMA = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
const PNG = 'iVBORw0KGgo=';

function cityOf(written: string): unknown {
  const args = parseJson(written);
  return isJsonObject(args) ? args['city'] : undefined;
}

describe.each(['gemini', 'bedrock'])('openai SDK -> %s wire', (model) => {
  test('plain, with the whole prompt in the usage', async () => {
    const answer = await stage.openai.chat.completions.create({
      model,
      messages: [{ role: 'system', content: 'You keep the gate.' }, ...messages],
      max_tokens: 100,
      temperature: 0.5,
    });
    expect(answer.choices[0]?.message.content).toBe(TEXT);
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    expect(answer.usage).toMatchObject({ prompt_tokens: 17, prompt_tokens_details: { cached_tokens: 4 } });
    expect(JSON.stringify(stage.upstream.requests[0]?.json)).toContain('You keep the gate.');
  });

  test('stream, with usage only where asked for', async () => {
    const ask = { model, messages, stream: true } as const;
    const hidden = await collectStream(await stage.openai.chat.completions.create(ask));
    expect(hidden).toMatchObject({ text: TEXT, finish: 'stop', finishes: 1, usage: undefined, emptyChunks: 0 });
    const shown = await collectStream(
      await stage.openai.chat.completions.create({ ...ask, stream_options: { include_usage: true } }),
    );
    expect(shown.usage).toMatchObject({ prompt_tokens: 17 });
  });

  test('tools, and the result of a tool sent back', async () => {
    const first = await stage.openai.chat.completions.create({ model, messages, tools: [WEATHER_TOOL] });
    const answer = first.choices[0]?.message;
    const call = answer?.tool_calls?.[0];
    if (!answer || call?.type !== 'function') throw new Error('no call');
    expect([call.function.name, cityOf(call.function.arguments)]).toEqual(['get_weather', 'Tokyo']);
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    const second = await stage.openai.chat.completions.create({
      model,
      messages: [...messages, answer, { role: 'tool', tool_call_id: call.id, content: '{"celsius":21}' }],
      tools: [WEATHER_TOOL],
    });
    expect(second.choices[0]?.message.content).toBe(TEXT);
    expect(JSON.stringify(stage.upstream.requests[1]?.json)).toContain('celsius');
  });

  test('parallel tools keep order and index, plain and streamed', async () => {
    stage.upstream.script({ answer: 'parallel-tools' }, { answer: 'parallel-tools' });
    const ask = { model, messages, tools: [WEATHER_TOOL] };
    const plain = await stage.openai.chat.completions.create(ask);
    const calls = (plain.choices[0]?.message.tool_calls ?? []).flatMap((call) =>
      call.type === 'function' ? [cityOf(call.function.arguments)] : [],
    );
    expect(calls).toEqual(['Tokyo', 'Paris']);
    const seen = await collectStream(await stage.openai.chat.completions.create({ ...ask, stream: true }));
    expect(seen.calls.map((call) => cityOf(call.function.arguments))).toEqual(['Tokyo', 'Paris']);
    expect(new Set(seen.calls.map((call) => call.id)).size).toBe(2);
    expect(seen.finish).toBe('tool_calls');
  });

  test('structured output is carried, or refused by name', async () => {
    stage.upstream.script({ answer: 'json' });
    const asked = stage.openai.chat.completions.create({
      model,
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'gate', schema: SCHEMA } },
    });
    const refused: unknown = await asked.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refused === undefined)
      expect(stage.upstream.requests[0]?.body.replaceAll('\\', '')).toContain('"required":["name"]');
    else expect(refused).toMatchObject({ status: 400, code: 'unsupported_parameter' });
  });

  test('pictures travel as they are', async () => {
    await stage.openai.chat.completions.create({
      model,
      messages: [
        { role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } }] },
      ],
    });
    expect(stage.upstream.requests[0]?.body).toContain(PNG);
  });

  test('an abort by the SDK reaches the upstream', async () => {
    stage.upstream.script({ stall: { at: { events: 2 } } });
    const stream = await stage.openai.chat.completions.create({ model, messages, stream: true });
    for await (const _ of stream) stream.controller.abort();
    await (
      await stage.upstream.request(0)
    ).aborted;
    expect(stage.upstream.aborts).toBe(1);
  });
});

describe.each(['gemini', 'bedrock'])('anthropic SDK -> %s wire', (model) => {
  const ask = { model, max_tokens: 100, messages };
  const tools = [{ name: 'get_weather', input_schema: { type: 'object' as const, properties: {} } }];

  test('plain and streamed', async () => {
    const plain = await stage.anthropic.messages.create(ask);
    const streamed = await stage.anthropic.messages.stream(ask).finalMessage();
    for (const answer of [plain, streamed]) {
      expect(answer.content.map((block) => (block.type === 'text' ? block.text : ''))).toEqual([TEXT]);
      expect(answer.stop_reason).toBe('end_turn');
    }
    expect(plain.usage).toMatchObject({ input_tokens: 13, cache_read_input_tokens: 4 });
  });

  test('parallel tools, plain and streamed', async () => {
    stage.upstream.script({ answer: 'parallel-tools' }, { answer: 'parallel-tools' });
    const plain = await stage.anthropic.messages.create({ ...ask, tools });
    const streamed = await stage.anthropic.messages.stream({ ...ask, tools }).finalMessage();
    for (const answer of [plain, streamed]) {
      const inputs = answer.content.flatMap((block) => (block.type === 'tool_use' ? [block.input] : []));
      expect(inputs).toMatchObject([{ city: 'Tokyo' }, { city: 'Paris' }]);
      expect(answer.stop_reason).toBe('tool_use');
    }
  });
});
