import { describe, expect, test } from 'bun:test';
import { anthropicDialect } from '../../src/http/dialects/anthropic/anthropic-dialect.ts';
import { openAiDialect } from '../../src/http/dialects/openai/openai-dialect.ts';
import { isJsonObject, objectAt, stringAt, type JsonObject, type JsonValue } from '../../src/lib/json.ts';
import { parseSse } from '../../src/lib/sse.ts';
import { decodeMessage } from '../../src/providers/anthropic/decode.ts';
import { encodeChatRequest as encodeAnthropic } from '../../src/providers/anthropic/encode.ts';
import { decodeChatResult } from '../../src/providers/openai/decode.ts';
import { encodeChatRequest as encodeOpenAi } from '../../src/providers/openai/encode.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import { filesIn, hasWireData, readData, readJsonData, snapshotBody, snapshotJson } from './golden-files.ts';
import { roads } from './open-stream.ts';

const GOLDENS = 'agentgateway-goldens';
const context = { route: 'r', request: { stream_options: { include_usage: true } } };
const nameOf = (file: string): string => file.split('.')[0] ?? file;

describe.skipIf(!hasWireData)('requests: openai dialect -> anthropic wire', () => {
  test.each(filesIn(`${GOLDENS}/requests/completions`, '.anthropic.snap'))('%s', (file) => {
    const input = readJsonData(`${GOLDENS}/requests/completions/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/requests/completions/${file}`), 'request') ?? {};
    const model = stringAt(input, 'model') ?? '';
    if (input['functions'] !== undefined) {
      // The golden drops what the wire cannot carry; here it is refused by name.
      expect(() => openAiDialect.decode(input)).toThrow(SekishoError);
      const { functions: _, function_call: __, ...rest } = input;
      const refused = thrownBy(() =>
        encodeAnthropic(openAiDialect.decode(rest), { model, target: 't', stream: false }),
      );
      expect(refused?.code).toBe('unsupported_parameter');
      for (const field of ['n', 'logit_bias', 'seed', 'presence_penalty', 'frequency_penalty', 'json_object']) {
        expect(refused?.message).toContain(field);
      }
      return;
    }
    const made = encodeAnthropic(openAiDialect.decode(input), { model, target: 't', stream: false });
    expect(turns(made['messages'])).toEqual(turns(wanted['messages']));
    expect(plain(made['system'])).toEqual(plain(wanted['system']));
    for (const key of ['model', 'tools', 'tool_choice', 'temperature', 'top_p', 'stop_sequences']) {
      expect(made[key]).toEqual(wanted[key] as never);
    }
    expect(made['thinking'] !== undefined).toBe(wanted['thinking'] !== undefined);
  });
});

describe.skipIf(!hasWireData)('requests: anthropic dialect -> openai wire', () => {
  test.each(filesIn(`${GOLDENS}/requests/messages`, '.completions.snap'))('%s', (file) => {
    const input = readJsonData(`${GOLDENS}/requests/messages/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/requests/messages/${file}`), 'request') ?? {};
    const encode = () =>
      encodeOpenAi(anthropicDialect.decode(input), {
        model: stringAt(input, 'model') ?? '',
        target: 't',
        stream: 'no',
        maxTokensField: 'max_completion_tokens',
      });
    if (file.startsWith('server_tools') || input['output_format'] !== undefined) {
      // The golden drops the vendor's own tools and fields; here they are refused by name.
      expect(encode).toThrow(/web_search_20250305|output_format/);
      return;
    }
    const made = encode();
    expect(turns(made['messages'])).toEqual(turns(wanted['messages']));
    expect(made['max_completion_tokens']).toEqual(wanted['max_completion_tokens'] as never);
  });
});

describe.skipIf(!hasWireData)('answers: anthropic wire -> openai dialect', () => {
  test.each(filesIn(`${GOLDENS}/response/anthropic`, '.messages-completions.snap'))('%s', (file) => {
    const body = readJsonData(`${GOLDENS}/response/anthropic/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/response/anthropic/${file}`), 'response') ?? {};
    const made = openAiDialect.encodeResult(decodeMessage(body, 0), context);
    expect(answerOf(made)).toEqual(answerOf(wanted));
    expect(tokensOf(made)['completion_tokens']).toEqual(tokensOf(wanted)['completion_tokens'] as never);
    // Ours counts the whole prompt, cached or not, as the dialect's own vendor does.
    const usage = objectAt(body, 'usage') ?? {};
    const whole = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'];
    const prompt = whole.reduce((sum, key) => sum + Number(usage[key] ?? 0), 0);
    expect(tokensOf(made)['prompt_tokens']).toBe(prompt);
  });

  test.each(filesIn(`${GOLDENS}/response/anthropic`, '.messages-completions-streaming.snap'))('%s', async (file) => {
    const text = readData(`${GOLDENS}/response/anthropic/${nameOf(file)}.json`);
    const wanted = joinedChunks(snapshotBody(`${GOLDENS}/response/anthropic/${file}`));
    for (const packetBytes of [1, 7, 100_000]) {
      const encoder = openAiDialect.streamEncoder(context);
      const { parts } = await roads.decodeAnthropic(text, { packetBytes });
      const made = joinedChunks(parts.map((part) => encoder.encode(part)).join('') + encoder.end());
      expect(made).toEqual(wanted);
    }
  });
});

describe.skipIf(!hasWireData)('answers: openai wire -> anthropic dialect', () => {
  test.each(filesIn(`${GOLDENS}/response/completions`, '.completions-messages.snap'))('%s', (file) => {
    const body = readJsonData(`${GOLDENS}/response/completions/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/response/completions/${file}`), 'response') ?? {};
    const made = anthropicDialect.encodeResult(decodeChatResult(body), context);
    expect(blocksOf(made)).toEqual(blocksOf(wanted));
    expect(made['stop_reason']).toEqual(wanted['stop_reason'] as never);
    for (const key of ['input_tokens', 'output_tokens'])
      expect(tokensOf(made)[key]).toEqual(tokensOf(wanted)[key] as never);
  });

  test.each(filesIn(`${GOLDENS}/response/completions`, '.completions-messages-streaming.snap'))('%s', async (file) => {
    const text = readData(`${GOLDENS}/response/completions/${nameOf(file)}.json`);
    const wanted = joinedEvents(snapshotBody(`${GOLDENS}/response/completions/${file}`));
    for (const packetBytes of [1, 7, 100_000]) {
      const encoder = anthropicDialect.streamEncoder(context);
      const { parts } = await roads.decodeOpenAi(text, { packetBytes });
      expect(joinedEvents(parts.map((part) => encoder.encode(part)).join('') + encoder.end())).toEqual(wanted);
    }
  });
});

function thrownBy(call: () => unknown): SekishoError | undefined {
  try {
    call();
  } catch (thrown) {
    return thrown instanceof SekishoError ? thrown : undefined;
  }
  return undefined;
}

/** Messages with text as text and neighbours of one role joined, which is what they mean. */
function turns(messages: JsonValue | undefined): JsonObject[] {
  const joined: { role: JsonValue | undefined; content: JsonValue[] }[] = [];
  for (const message of Array.isArray(messages) ? messages.filter(isJsonObject) : []) {
    const content = message['content'];
    const blocks =
      typeof content === 'string' ? [{ type: 'text', text: content }] : Array.isArray(content) ? content : [];
    const last = joined.at(-1);
    const clean = blocks.map((block) => (isJsonObject(block) ? withoutCache(block) : block));
    if (last !== undefined && last.role === message['role']) last.content.push(...clean);
    else joined.push({ role: message['role'], content: clean });
  }
  return joined;
}

function withoutCache(block: JsonObject): JsonObject {
  const { cache_control: _, ...rest } = block;
  return rest;
}

function plain(system: JsonValue | undefined): string {
  if (typeof system === 'string') return system;
  return Array.isArray(system)
    ? system.map((block) => (isJsonObject(block) ? String(block['text']) : '')).join('\n')
    : '';
}

function answerOf(completion: JsonObject): unknown {
  const [choice] = Array.isArray(completion['choices']) ? completion['choices'] : [];
  const first = isJsonObject(choice) ? choice : {};
  const message = objectAt(first, 'message') ?? {};
  return {
    content: message['content'],
    reasoning: message['reasoning_content'],
    calls: message['tool_calls'],
    finish: first['finish_reason'],
  };
}

function tokensOf(body: JsonObject): JsonObject {
  return objectAt(body, 'usage') ?? {};
}

/** Text and calls of a message; goldens leave reasoning out, which the dialect can carry. */
function blocksOf(message: JsonObject): unknown[] {
  const content = Array.isArray(message['content']) ? message['content'].filter(isJsonObject) : [];
  return content
    .filter((block) => block['type'] !== 'thinking')
    .map(({ type, text, id, name, input }) => ({ type, text, id, name, input }));
}

function joinedChunks(text: string): unknown {
  const seen = {
    content: '',
    reasoning: '',
    finish: '',
    calls: [] as { id?: string; name?: string; arguments: string }[],
    usage: {},
  };
  for (const { data } of parseSse(Buffer.from(text))) {
    if (!data.startsWith('{')) continue;
    const chunk: unknown = JSON.parse(data);
    if (!isJsonObject(chunk)) continue;
    const usage = objectAt(chunk, 'usage');
    if (usage) seen.usage = { output: usage['completion_tokens'] };
    const [choice] = Array.isArray(chunk['choices']) ? chunk['choices'] : [];
    if (!isJsonObject(choice)) continue;
    const delta = objectAt(choice, 'delta') ?? {};
    seen.content += stringAt(delta, 'content') ?? '';
    seen.reasoning += stringAt(delta, 'reasoning_content') ?? '';
    seen.finish = stringAt(choice, 'finish_reason') ?? seen.finish;
    for (const call of Array.isArray(delta['tool_calls']) ? delta['tool_calls'].filter(isJsonObject) : []) {
      const known = (seen.calls[Number(call['index'])] ??= { arguments: '' });
      const asked = objectAt(call, 'function') ?? {};
      known.id ??= stringAt(call, 'id') ?? '';
      known.name ??= stringAt(asked, 'name') ?? '';
      known.arguments += stringAt(asked, 'arguments') ?? '';
    }
  }
  return seen;
}

function joinedEvents(text: string): unknown {
  const blocks: { type: string; text: string; id?: string; name?: string }[] = [];
  const seen = { blocks, stop: '', usage: {}, ended: 0 };
  for (const { data } of parseSse(Buffer.from(text))) {
    if (!data.startsWith('{"type"')) continue;
    const event: unknown = JSON.parse(data);
    if (!isJsonObject(event)) continue;
    const block = objectAt(event, 'content_block');
    const delta = objectAt(event, 'delta') ?? {};
    const index = Number(event['index'] ?? 0);
    if (block) {
      const { id, name } = { id: stringAt(block, 'id'), name: stringAt(block, 'name') };
      blocks[index] = { type: stringAt(block, 'type') ?? '', text: '', ...(id && { id }), ...(name && { name }) };
    }
    const open = blocks[index];
    if (open && event['type'] === 'content_block_delta') {
      open.text += stringAt(delta, 'text') ?? stringAt(delta, 'partial_json') ?? stringAt(delta, 'thinking') ?? '';
    }
    if (event['type'] === 'message_delta') {
      seen.stop = stringAt(delta, 'stop_reason') ?? '';
      seen.usage = { output: (objectAt(event, 'usage') ?? {})['output_tokens'] };
    }
    if (event['type'] === 'message_stop') seen.ended++;
  }
  return seen;
}
