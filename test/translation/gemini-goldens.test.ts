import { describe, expect, test } from 'bun:test';
import { openAiDialect } from '../../src/http/dialects/openai/openai-dialect.ts';
import { isJsonObject, objectAt, stringAt, type JsonObject, type JsonValue } from '../../src/lib/json.ts';
import { parseSse } from '../../src/lib/sse.ts';
import { decodeResult, refusalIn } from '../../src/providers/gemini/decode.ts';
import { encodeChatRequest } from '../../src/providers/gemini/encode.ts';
import { filesIn, hasWireData, readData, readJsonData, snapshotBody, snapshotJson } from './golden-files.ts';
import { roads } from './open-stream.ts';

const GOLDENS = 'agentgateway-goldens';
const context = { route: 'r', request: { stream_options: { include_usage: true } } };
const nameOf = (file: string): string => file.split('.')[0] ?? file;

describe.skipIf(!hasWireData)('requests: openai dialect -> gemini wire', () => {
  test.each(filesIn(`${GOLDENS}/requests/completions`, '.vertex-gemini.snap'))('%s', (file) => {
    const input = readJsonData(`${GOLDENS}/requests/completions/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/requests/completions/${file}`), 'request') ?? {};
    const dropped: string[] = [];
    // A field that the caller's dialect has no word for, and the vocabulary has.
    const { top_k: topK, ...rest } = input;
    const request = { ...openAiDialect.decode(rest), ...(typeof topK === 'number' && { topK }) };
    const made = encodeChatRequest(request, {
      // The name decides how a model thinks; the goldens were made for a generation that counts tokens.
      model: 'gemini-2.5-pro',
      target: 't',
      onUncarried: (parameters) => dropped.push(...parameters),
    });
    expect(plain(made['contents'])).toEqual(plain(wanted['contents']));
    expect(made['systemInstruction']).toEqual(wanted['systemInstruction'] as never);
    expect(plain(made['tools'])).toEqual(plain(wanted['tools']));
    expect(made['toolConfig']).toEqual(wanted['toolConfig'] as never);
    const { candidateCount, thinkingConfig, ...config } = objectAt(wanted, 'generationConfig') ?? {};
    const { thinkingConfig: thinking, ...ours } = objectAt(made, 'generationConfig') ?? {};
    expect(ours).toEqual(config);
    expect(isJsonObject(thinking)).toBe(isJsonObject(thinkingConfig));
    // The golden asks for several answers, of which a caller of another dialect could be given one.
    expect(dropped).toEqual(candidateCount === undefined ? [] : ['n']);
  });
});

describe.skipIf(!hasWireData)('answers: gemini wire -> openai dialect', () => {
  test.each(filesIn(`${GOLDENS}/response/vertex-gemini`, '.vertex-gemini-completions.snap'))('%s', (file) => {
    const body = readJsonData(`${GOLDENS}/response/vertex-gemini/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/response/vertex-gemini/${file}`), 'response') ?? {};
    if (nameOf(file) === 'blocked') {
      // The golden makes an empty answer of a refusal; here it is an error, so that another target may be tried.
      expect(refusalIn(body, 't')?.code).toBe('content_refused');
      return;
    }
    expect(refusalIn(body, 't')).toBeUndefined();
    const made = openAiDialect.encodeResult(decodeResult(body, { model: 'm', nowMs: 0 }), context);
    expect(answerOf(made)).toEqual(answerOf(wanted));
    expect(made['usage']).toMatchObject({
      prompt_tokens: objectAt(wanted, 'usage')?.['prompt_tokens'],
      completion_tokens: objectAt(wanted, 'usage')?.['completion_tokens'],
      total_tokens: objectAt(wanted, 'usage')?.['total_tokens'],
    });
  });

  test.each(filesIn(`${GOLDENS}/response/vertex-gemini`, '-completions-streaming.snap'))('%s', async (file) => {
    const text = readData(`${GOLDENS}/response/vertex-gemini/${nameOf(file)}.json`);
    const wanted = callsIn(snapshotBody(`${GOLDENS}/response/vertex-gemini/${file}`));
    for (const packetBytes of [1, 7, 100_000]) {
      const encoder = openAiDialect.streamEncoder(context);
      const { parts } = await roads.decodeGemini(text, { packetBytes });
      expect(callsIn(parts.map((part) => encoder.encode(part)).join('') + encoder.end())).toEqual(wanted);
    }
  });
});

/** Without what both ways of saying a thing differ in: ids of calls, the name around a plain result, which field holds a schema. */
function plain(value: JsonValue | undefined): unknown {
  if (Array.isArray(value)) return value.map((each) => plain(each));
  if (!isJsonObject(value)) return value;
  const call = objectAt(value, 'functionCall');
  if (call !== undefined) return { call: call['name'], args: call['args'] };
  const result = objectAt(value, 'functionResponse');
  if (result !== undefined) {
    const response = objectAt(result, 'response') ?? {};
    const text = stringAt(response, 'content') ?? stringAt(response, 'result');
    return { result: result['name'], said: text === undefined ? response : JSON.parse(text) };
  }
  const { parametersJsonSchema, ...rest } = value;
  if (parametersJsonSchema !== undefined) rest['parameters'] = parametersJsonSchema;
  return Object.fromEntries(Object.entries(rest).map(([key, each]) => [key, plain(each)]));
}

function answerOf(completion: JsonObject): unknown {
  const [choice] = Array.isArray(completion['choices']) ? completion['choices'] : [];
  const first = isJsonObject(choice) ? choice : {};
  const message = objectAt(first, 'message') ?? {};
  return { content: message['content'], reasoning: message['reasoning_content'], finish: first['finish_reason'] };
}

/** The calls of a stream, its reason, and its output tokens. */
function callsIn(text: string): unknown {
  const seen = { calls: [] as { id: string; name: string; arguments: string }[], finish: '', output: 0 };
  for (const { data } of parseSse(Buffer.from(text))) {
    if (!data.startsWith('{"id"')) continue;
    const chunk: unknown = JSON.parse(data);
    if (!isJsonObject(chunk)) continue;
    seen.output = Number(objectAt(chunk, 'usage')?.['completion_tokens'] ?? seen.output);
    const [choice] = Array.isArray(chunk['choices']) ? chunk['choices'] : [];
    if (!isJsonObject(choice)) continue;
    seen.finish = stringAt(choice, 'finish_reason') ?? seen.finish;
    const calls = objectAt(choice, 'delta')?.['tool_calls'];
    for (const call of Array.isArray(calls) ? calls.filter(isJsonObject) : []) {
      const known = (seen.calls[Number(call['index'])] ??= { id: '', name: '', arguments: '' });
      known.id ||= stringAt(call, 'id') ?? '';
      known.name ||= stringAt(objectAt(call, 'function') ?? {}, 'name') ?? '';
      known.arguments += stringAt(objectAt(call, 'function') ?? {}, 'arguments') ?? '';
    }
  }
  return seen;
}
