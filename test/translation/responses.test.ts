import { describe, expect, test } from 'bun:test';
import { parse } from 'yaml';
import { responsesDialect } from '../../src/http/dialects/openai-responses/responses-dialect.ts';
import { arrayAt, isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { parseSse } from '../../src/lib/sse.ts';
import { createPassingReader } from '../../src/providers/kit/passing-reader.ts';
import { passedDecoder } from '../../src/providers/kit/passed-decoder.ts';
import { decodeChatResult } from '../../src/providers/openai/decode.ts';
import { encodeChatRequest } from '../../src/providers/openai/encode.ts';
import type { PassedForm } from '../../src/providers/openai/forms/body-form.ts';
import { completionsForm } from '../../src/providers/openai/forms/completions-form.ts';
import { responsesForm } from '../../src/providers/openai/forms/responses-form.ts';
import type { StreamPart } from '../../src/spec/chat.ts';
import { filesIn, hasWireData, readData, readJsonData, snapshotBody, snapshotJson } from './golden-files.ts';
import { collect, roads } from './open-stream.ts';

const GOLDENS = 'agentgateway-goldens';
const context = { route: 'r', request: {} };
const nameOf = (file: string): string => file.split('.')[0] ?? file;

describe.skipIf(!hasWireData)('requests: responses dialect -> openai wire', () => {
  test.each(filesIn(`${GOLDENS}/requests/responses`, '.gemini.snap'))('%s', (file) => {
    const input = readJsonData(`${GOLDENS}/requests/responses/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/requests/responses/${file}`), 'request') ?? {};
    const made = encodeChatRequest(responsesDialect.decode(input), {
      model: stringAt(input, 'model') ?? '',
      target: 't',
      stream: 'no',
      maxTokensField: 'max_completion_tokens',
    });
    expect(saidIn(made)).toEqual(saidIn(wanted));
    expect(made['max_completion_tokens']).toEqual((wanted['max_completion_tokens'] ?? wanted['max_tokens']) as never);
  });

  test('the history of an assistant, with a refusal', () => {
    const { messages } = responsesDialect.decode(readJsonData(`${GOLDENS}/requests/responses/assistant-history.json`));
    expect(
      messages.map(({ role, parts }) => [role, ...parts.map((part) => (part.type === 'text' ? part.text : ''))]),
    ).toEqual([
      ['assistant', 'Here is the answer.', 'I cannot help with that part.'],
      ['user', 'Follow up question.'],
    ]);
  });
});

describe.skipIf(!hasWireData)('answers: openai wire -> responses dialect', () => {
  test.each(filesIn(`${GOLDENS}/response/completions`, '.completions-responses.snap'))('%s', (file) => {
    const body = readJsonData(`${GOLDENS}/response/completions/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/response/completions/${file}`), 'response') ?? {};
    const made = responsesDialect.encodeResult(decodeChatResult(body), context);
    expect(itemsOf(made)).toEqual(itemsOf(wanted));
    expect(made['status']).toEqual(wanted['status'] as never);
    const { input_tokens_details: _, ...usage } = objectAt(wanted, 'usage') ?? {};
    expect(made['usage']).toMatchObject(usage);
  });

  test.each(filesIn(`${GOLDENS}/response/completions`, '.completions-responses-streaming.snap'))('%s', async (file) => {
    const text = readData(`${GOLDENS}/response/completions/${nameOf(file)}.json`);
    const wanted = eventsOf(snapshotBody(`${GOLDENS}/response/completions/${file}`));
    for (const packetBytes of [1, 7, 100_000]) {
      const encoder = responsesDialect.streamEncoder(context);
      const { parts } = await roads.decodeOpenAi(text, { packetBytes });
      const made = eventsOf(parts.map((part) => encoder.encode(part)).join('') + encoder.end());
      expect(saidBy(made)).toEqual(saidBy(wanted));
      // What the stream said is what the response at its end holds.
      const last = objectAt(made.at(-1) ?? {}, 'response') ?? {};
      expect(
        itemsOf(last)
          .map((item) => item['text'] ?? '')
          .join(''),
      ).toBe(saidBy(made).text);
    }
  });
});

describe.skipIf(!hasWireData)('recorded responses', () => {
  const whole = [
    'gomodel-recordings/openai/responses.json',
    'gomodel-recordings/xai/responses.json',
    `${GOLDENS}/response/responses/basic.json`,
    `${GOLDENS}/response/responses/reasoning.json`,
  ];
  test.each(whole)('%s', (path) => {
    const body = readJsonData(path);
    expect(responsesForm.isAnswer(body)).toBe(true);
    const result = responsesForm.decode(body);
    const said = result.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    const usage = objectAt(body, 'usage') ?? {};
    expect(said.length).toBeGreaterThan(0);
    expect(result.usage.inputTokens).toBe(Number(usage['input_tokens']));
    expect(result.usage.outputTokens).toBeGreaterThanOrEqual(Number(usage['output_tokens']));
    expect(result.finish).toBe('stop');
  });

  test.each(filesIn(`${GOLDENS}/response/responses`, '.json').filter((name) => name.startsWith('stream')))(
    '%s: passed to the byte, counted and understood',
    async (file) => {
      const text = readData(`${GOLDENS}/response/responses/${file}`);
      const { parts, decoded } = await passedThrough(responsesForm, text);
      const usage = objectAt(objectAt(eventsOf(text).at(-1) ?? {}, 'response') ?? {}, 'usage') ?? {};
      expect(parts.map((part) => part.type)).toEqual(['usage', 'finish']);
      expect(parts[0]).toMatchObject({
        usage: { inputTokens: usage['input_tokens'], outputTokens: usage['output_tokens'] },
      });
      expect(decoded[0]?.type).toBe('start');
      expect(textOf(decoded)).toBe(saidBy(eventsOf(text)).text);
      const calls = decoded.filter((part) => part.type === 'tool-call-delta').map((part) => part.arguments);
      expect(calls.join('')).toBe(saidBy(eventsOf(text)).written);
    },
  );
});

describe.skipIf(!hasWireData)('recorded completions', () => {
  const cassettes = filesIn('envoy-cassettes', '.yaml').filter((name) => name.startsWith('completion-'));
  test.each(cassettes)('%s', async (name) => {
    const cassette: unknown = parse(readData(`envoy-cassettes/${name}`));
    for (const exchange of (isJsonObject(cassette) ? arrayAt(cassette, 'interactions') : []).filter(isJsonObject)) {
      const body = stringAt(objectAt(exchange, 'response') ?? {}, 'body') ?? '';
      const request = parseJson(stringAt(objectAt(exchange, 'request') ?? {}, 'body') ?? '');
      if (body.startsWith('data:')) {
        const { parts, decoded } = await passedThrough(completionsForm, body, isJsonObject(request) ? request : {});
        expect(parts.filter((part) => part.type === 'finish')).toHaveLength(1);
        expect(textOf(decoded).length).toBeGreaterThan(0);
        continue;
      }
      const json = parseJson(body);
      if (!isJsonObject(json) || json['choices'] === undefined) continue;
      expect(textOf(completionsForm.decode(json).parts).length).toBeGreaterThan(0);
      expect(completionsForm.decode(json).usage.outputTokens).toBeGreaterThan(0);
    }
  });
});

/** Role and text of each message; `developer` is the newer word for `system`. */
function saidIn(request: JsonObject): unknown[] {
  return arrayAt(request, 'messages')
    .filter(isJsonObject)
    .map(({ role, content }) => [
      role === 'developer' ? 'system' : role,
      Array.isArray(content) ? content.map((part) => (isJsonObject(part) ? part['text'] : '')).join('') : content,
    ]);
}

/** A recorded stream on its way through, in packets of five bytes; what its bytes say once they are read. */
async function passedThrough(form: PassedForm, text: string, request: JsonObject = {}) {
  const asked = { ...request, stream_options: { include_usage: true } };
  const reader = createPassingReader('t', form.passing('t', asked));
  const { parts, bytes } = await collect(text, { packetBytes: 5 }, reader);
  expect(text.startsWith(bytes) || bytes.startsWith(text)).toBe(true);
  return { parts, decoded: passedDecoder(() => form.decoder('t'))()(Buffer.from(bytes)) };
}

function textOf(parts: readonly { type: string; text?: string }[] | readonly StreamPart[]): string {
  return parts.map((part) => (part.type === 'text' && 'text' in part ? (part.text ?? '') : '')).join('');
}

function eventsOf(text: string): JsonObject[] {
  return parseSse(Buffer.from(text)).flatMap(({ data }) => {
    const event = parseJson(data);
    return isJsonObject(event) ? [event] : [];
  });
}

/** What a stream of responses says, whatever its events are called beside. */
function saidBy(events: readonly JsonObject[]): { text: string; written: string; calls: unknown[]; usage: unknown } {
  const of = (...types: string[]): string =>
    events.map((event) => (types.includes(String(event['type'])) ? String(event['delta']) : '')).join('');
  const last = events.findLast((event) => event['type'] === 'response.completed') ?? {};
  const { output_tokens } = objectAt(objectAt(last, 'response') ?? {}, 'usage') ?? {};
  return {
    text: of('response.output_text.delta', 'response.refusal.delta'),
    written: of('response.function_call_arguments.delta'),
    calls: events
      .filter((event) => event['type'] === 'response.output_item.added')
      .map((event) => objectAt(event, 'item') ?? {})
      .filter((item) => item['type'] === 'function_call')
      .map(({ name }) => name),
    usage: output_tokens,
  };
}

/** The items of a response without ids; goldens leave reasoning out. */
function itemsOf(response: JsonObject): JsonObject[] {
  return arrayAt(response, 'output')
    .filter(isJsonObject)
    .filter((item) => item['type'] !== 'reasoning')
    .map((item) => ({
      type: item['type'],
      status: item['status'],
      text: arrayAt(item, 'content')
        .map((part) => (isJsonObject(part) ? (stringAt(part, 'text') ?? '') : ''))
        .join(''),
      call_id: item['call_id'],
      name: item['name'],
      arguments: item['arguments'],
    }));
}
