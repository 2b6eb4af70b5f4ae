import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { arrayAt, isJsonObject } from '../../src/lib/json.ts';
import { recordedResponse } from '../support/fake-provider/responses.ts';
import { readStream } from '../support/read-stream.ts';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';
import { TEXT } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const WEATHER: OpenAI.Responses.FunctionTool = {
  type: 'function',
  name: 'get_weather',
  description: 'Weather of a city',
  strict: false,
  parameters: { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } },
};
const SCHEMA = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };

/** Every wire behind the dialect; `forms` takes the dialect's own bodies. */
const ROUTES = ['fast', 'sonnet', 'forms', 'gemini', 'bedrock'];

type Events = OpenAI.Responses.ResponseStreamEvent[];

async function eventsOf(stream: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>): Promise<Events> {
  const events: Events = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** What a caller sends back of an answer. */
function kept({ output }: OpenAI.Responses.Response): OpenAI.Responses.ResponseInputItem[] {
  return output.flatMap((item) =>
    item.type === 'message' || item.type === 'reasoning' || item.type === 'function_call' ? [item] : [],
  );
}

describe.each(ROUTES)('openai SDK, responses -> %s', (model) => {
  test('plain, from a string with instructions', async () => {
    const answer = await stage.openai.responses.create({ model, instructions: 'You keep the gate.', input: 'Open?' });
    expect(answer.output_text).toBe(TEXT);
    expect(answer.status).toBe('completed');
    expect(answer.object).toBe('response');
    expect(answer.usage).toMatchObject({ input_tokens: 17, input_tokens_details: { cached_tokens: 4 } });
    expect(answer.usage?.total_tokens).toBe(17 + (answer.usage?.output_tokens ?? 0));
    expect(JSON.stringify(stage.upstream.requests[0]?.json)).toContain('You keep the gate.');
  });

  test('stream: every event in its place, and the whole response at the end', async () => {
    const events = await eventsOf(await stage.openai.responses.create({ model, input: 'Open?', stream: true }));
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    const kinds = events.map((event) => event.type).filter((type, at, all) => type !== all[at - 1]);
    expect(kinds).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    const last = events.at(-1);
    if (last?.type !== 'response.completed') throw new Error('not completed');
    const [message] = last.response.output;
    expect(message).toMatchObject({ type: 'message', content: [{ type: 'output_text', text: TEXT }] });
    expect(last.response.usage).toMatchObject({ input_tokens: 17 });
  });

  test('the helper of the SDK puts a stream together, and its usage is settled', async () => {
    const stream = stage.openai.responses.stream({ model, input: 'Open?' });
    let text = '';
    stream.on('response.output_text.delta', (event) => {
      text += event.delta;
    });
    const answer = await stream.finalResponse();
    expect([text, answer.output_text]).toEqual([TEXT, TEXT]);
    const row = stage.ledger.rows().at(-1);
    expect(row).toMatchObject({ outcome: 'ok', input_tokens: 17, cached_input_tokens: 4, usage_basis: 'reported' });
  });

  test('a tool is called, and its result sent back', async () => {
    const ask = { model, store: false, tools: [WEATHER] };
    const first = await stage.openai.responses.create({ ...ask, input: 'Weather in Tokyo?' });
    const call = first.output.find((item) => item.type === 'function_call');
    expect(call).toMatchObject({ name: 'get_weather', status: 'completed' });
    expect(JSON.parse(call?.arguments ?? '')).toEqual({ city: 'Tokyo', unit: 'celsius' });
    const second = await stage.openai.responses.create({
      ...ask,
      input: [
        { role: 'user', content: 'Weather in Tokyo?' },
        ...kept(first),
        { type: 'function_call_output', call_id: call?.call_id ?? '', output: '{"celsius":21}' },
      ],
    });
    expect(second.output_text).toBe(TEXT);
    const sent = JSON.stringify(stage.upstream.requests[1]?.json);
    expect(sent).toContain('celsius');
    expect(sent).toContain('21');
  });

  test('parallel tools keep their order, plain and streamed', async () => {
    stage.upstream.script({ answer: 'parallel-tools' }, { answer: 'parallel-tools' });
    const ask = { model, input: 'Weather?', tools: [WEATHER], parallel_tool_calls: true };
    const citiesOf = (response: OpenAI.Responses.Response): unknown[] =>
      response.output.flatMap((item) => {
        const written: unknown = item.type === 'function_call' ? JSON.parse(item.arguments) : undefined;
        return isJsonObject(written) ? [written['city']] : [];
      });
    expect(citiesOf(await stage.openai.responses.create(ask))).toEqual(['Tokyo', 'Paris']);
    expect(citiesOf(await stage.openai.responses.stream(ask).finalResponse())).toEqual(['Tokyo', 'Paris']);
  });

  test('structured output reaches the upstream', async () => {
    stage.upstream.script({ answer: 'json' });
    const answer = await stage.openai.responses.create({
      model,
      input: 'Describe the gate.',
      text: { format: { type: 'json_schema', name: 'gate', schema: SCHEMA } },
    });
    expect(JSON.parse(answer.output_text)).toMatchObject({ name: 'Hakone' });
    expect(JSON.stringify(stage.upstream.requests[0]?.json)).toContain('"name"');
  });

  test('a stream that breaks is an error for the SDK', async () => {
    stage.upstream.script({ break: { at: { events: 5 }, how: 'reset' } });
    const stream = await stage.openai.responses.create({ model, input: 'Open?', stream: true });
    const thrown = await eventsOf(stream).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(OpenAI.APIError);
    expect(thrown).toMatchObject({ code: 'upstream_broken' });
  });
});

describe('reasoning', () => {
  test('comes as an item with its seal, and goes back with it', async () => {
    stage.upstream.script({ answer: 'thinking' });
    const ask = { model: 'sonnet', store: false, include: ['reasoning.encrypted_content' as const] };
    const first = await stage.openai.responses.create({ ...ask, input: '6 x 7?', reasoning: { effort: 'low' } });
    const thought = first.output.find((item) => item.type === 'reasoning');
    expect(thought?.summary[0]?.text.length).toBeGreaterThan(0);
    expect(thought?.encrypted_content).toStartWith('sekisho.signature.');
    await stage.openai.responses.create({
      ...ask,
      input: [{ role: 'user', content: '6 x 7?' }, ...kept(first), { role: 'user', content: 'Sure?' }],
    });
    const sent = arrayAt(stage.upstream.requests[1]?.json ?? {}, 'messages');
    expect(sent[1]).toMatchObject({
      role: 'assistant',
      content: [
        {
          type: 'thinking',
          thinking: thought?.summary[0]?.text,
          signature: thought?.encrypted_content?.slice('sekisho.signature.'.length),
        },
        { type: 'text' },
      ],
    });
  });

  test('is streamed as a summary', async () => {
    stage.upstream.script({ answer: 'thinking' });
    const stream = await stage.openai.responses.create({ model: 'sonnet', input: '6 x 7?', stream: true });
    const kinds = (await eventsOf(stream)).map((event) => event.type).filter((type, at, all) => type !== all[at - 1]);
    expect(kinds.slice(2, 8)).toEqual([
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
      'response.output_item.done',
    ]);
  });
});

describe('passed through', () => {
  test('the bytes come as they are, also fields that only the vendor knows', async () => {
    const body = {
      model: 'forms',
      input: 'Open?',
      stream: true,
      previous_response_id: 'resp_before',
      tools: [{ type: 'web_search' }],
    };
    stage.upstream.script({ answer: 'plain' });
    const seen = await readStream(await stage.post('/v1/responses', body));
    expect(seen.text).toBe(recordedResponse('plain').join(''));
    const { model, ...sent } = stage.upstream.requests[0]?.json ?? {};
    const { model: _, ...asked } = body;
    expect(stage.upstream.requests[0]?.path).toBe('/v1/responses');
    expect(model).toBe('gpt-4o-mini');
    expect(sent).toEqual(asked as never);
  });

  test('an error of the upstream in the stream is told in our words', async () => {
    const failed = {
      type: 'response.failed',
      sequence_number: 3,
      response: { error: { code: 'server_error', message: 'secret' } },
    };
    stage.upstream.script({
      // What comes before has gone out by then: nothing may be tried again.
      stall: { at: { events: 4 } },
      events: (events) => [...events.slice(0, 4), `event: response.failed\ndata: ${JSON.stringify(failed)}\n\n`],
    });
    const response = await stage.post('/v1/responses', { model: 'forms', input: 'Open?', stream: true });
    await stage.upstream.stalled();
    stage.upstream.release();
    const seen = await readStream(response);
    expect(seen.text).not.toContain('secret');
    expect(seen.data.at(-1)).toMatchObject({ type: 'error', code: 'upstream_failed' });
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_failed' });
  });

  test('an answer that was cut short is one', async () => {
    stage.upstream.script({
      events: (events) =>
        events.map((event) =>
          event
            .replaceAll('response.completed', 'response.incomplete')
            .replace('"status":"completed","background"', '"status":"incomplete","background"')
            .replace('"incomplete_details":null', '"incomplete_details":{"reason":"max_output_tokens"}'),
        ),
    });
    const seen = await readStream(await stage.post('/v1/responses', { model: 'forms', input: 'Open?', stream: true }));
    expect(seen.data.at(-1)).toMatchObject({ type: 'response.incomplete' });
    expect(await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'))).toMatchObject({
      outcome: 'ok',
      input_tokens: 17,
    });
  });
});

describe('what cannot be carried is refused by name', () => {
  test.each([
    ['previous_response_id', { previous_response_id: 'resp_1' }],
    ['conversation', { conversation: 'conv_1' }],
    ['item_reference', { input: [{ type: 'item_reference', id: 'msg_1' }] }],
    ['web_search', { tools: [{ type: 'web_search' }] }],
    ['input_file', { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'file_1' }] }] }],
    ['background', { background: true }],
    ['input', { input: [] }],
    ['text.format.type', { text: { format: { type: 'grammar' } } }],
    ['input[0].role', { input: [{ role: 'judge', content: 'x' }] }],
  ])('%s', async (name, more) => {
    const response = await stage.post('/v1/responses', { model: 'fast', input: 'Open?', ...more });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(name === 'input_file' ? 'file_data' : name);
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('store is accepted and not sent on', async () => {
    const response = await stage.post('/v1/responses', {
      model: 'fast',
      input: 'Open?',
      store: true,
      metadata: { a: 'b' },
    });
    expect(await response.json()).toMatchObject({ store: false, metadata: { a: 'b' } });
    expect(stage.upstream.requests[0]?.json).not.toHaveProperty('store');
    expect(stage.upstream.requests[0]?.headers['authorization']).toBe(`Bearer ${CREDENTIAL}`);
  });
});
