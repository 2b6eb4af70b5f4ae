import { beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { anthropicDialect } from '../../src/http/dialects/anthropic/anthropic-dialect.ts';
import { openAiDialect } from '../../src/http/dialects/openai/openai-dialect.ts';
import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { parseSse, type SseEvent } from '../../src/lib/sse.ts';
import { decodeResult } from '../../src/providers/bedrock/decode.ts';
import { createEventDecoder } from '../../src/providers/bedrock/decode-event.ts';
import { encodeChatRequest } from '../../src/providers/bedrock/encode.ts';
import { createMessageFramer, loadMessageParser } from '../../src/providers/bedrock/event-stream.ts';
import { createDecodingReader } from '../../src/providers/kit/decoding-reader.ts';
import type { StreamPart } from '../../src/spec/chat.ts';
import { filesIn, hasWireData, readJsonData, snapshotBody, snapshotJson, WIRE_DATA } from './golden-files.ts';
import { collect, estimate } from './open-stream.ts';

const GOLDENS = 'agentgateway-goldens';
const MODEL = 'anthropic.claude-sonnet-4-20250514-v1:0';
const context = { route: 'r', request: { stream_options: { include_usage: true } } };
const nameOf = (file: string): string => file.split('.')[0] ?? file;

let parse: (run: Buffer) => SseEvent[];
beforeAll(async () => {
  parse = await loadMessageParser();
});

describe.skipIf(!hasWireData).each([
  ['completions', openAiDialect],
  ['messages', anthropicDialect],
] as const)('requests: %s -> bedrock wire', (folder, dialect) => {
  test.each(filesIn(`${GOLDENS}/requests/${folder}`, '.bedrock.snap'))('%s', (file) => {
    const input = readJsonData(`${GOLDENS}/requests/${folder}/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/requests/${folder}/${file}`), 'request') ?? {};
    const dropped: string[] = [];
    // What no wire but the vendor's own takes is refused by the dialect; the golden drops it.
    const { functions: _, function_call: __, output_format: ___, ...rest } = input;
    if (nameOf(file) === 'server_tools') rest['tools'] = ownTools(rest);
    const made = encodeChatRequest(dialect.decode(rest), {
      // Only later models think as much as an effort allows.
      model: thinksByEffort(rest) ? 'anthropic.claude-opus-4-6-v1' : MODEL,
      target: 't',
      onUncarried: (parameters) => dropped.push(...parameters),
    });
    expect(made['messages']).toEqual(withoutNulls(wanted['messages']) as never);
    expect(made['system']).toEqual(wanted['system'] as never);
    const { maxTokens, ...limits } = objectAt(made, 'inferenceConfig') ?? {};
    const { maxTokens: theirs, ...wantedLimits } = objectAt(wanted, 'inferenceConfig') ?? {};
    expect(limits).toEqual(wantedLimits);
    // The golden sets a limit where the caller set none.
    expect(maxTokens ?? 4096).toBe(theirs ?? 4096);
    expect(toolNames(made)).toEqual(toolNames(wanted));
    const thinks = (request: JsonObject): boolean =>
      objectAt(request, 'additionalModelRequestFields')?.['thinking'] !== undefined;
    expect(thinks(made)).toBe(thinks(wanted));
    if (nameOf(file) === 'full') expect(dropped).toContain('seed');
    else expect(dropped).toEqual([]);
  });
});

describe.skipIf(!hasWireData)('answers: bedrock wire -> openai dialect', () => {
  test.each(filesIn(`${GOLDENS}/response/bedrock`, '.bedrock-completions.snap'))('%s', (file) => {
    const body = readJsonData(`${GOLDENS}/response/bedrock/${nameOf(file)}.json`);
    const wanted = objectAt(snapshotJson(`${GOLDENS}/response/bedrock/${file}`), 'response') ?? {};
    const result = decodeResult(body, { id: 'x', model: 'm', nowMs: 0 });
    const made = openAiDialect.encodeResult(result, context);
    expect(messageOf(made)).toEqual(messageOf(wanted));
    // Ours counts the whole prompt, cached or not; the totals agree.
    const [usage, theirs] = [objectAt(made, 'usage') ?? {}, objectAt(wanted, 'usage') ?? {}];
    expect(usage['total_tokens']).toBe(Number(theirs['total_tokens']));
    expect(usage['completion_tokens']).toBe(Number(theirs['completion_tokens']));
    expect(result.usage.cacheWriteTokens).toBe(Number(theirs['cache_creation_input_tokens'] ?? 0));
  });

  test.each(filesIn(`${GOLDENS}/response/bedrock`, '.bedrock-completions-streaming.snap'))('%s', async (file) => {
    const wanted = said(snapshotBody(`${GOLDENS}/response/bedrock/${file}`));
    for (const packetBytes of [1, 7, 100_000]) {
      const encoder = openAiDialect.streamEncoder(context);
      const parts = await decode(`${GOLDENS}/response/bedrock/${nameOf(file)}.bin`, packetBytes);
      expect(said(parts.map((part) => encoder.encode(part)).join('') + encoder.end())).toEqual(wanted);
    }
  });
});

async function decode(path: string, packetBytes: number): Promise<StreamPart[]> {
  const decoder = createEventDecoder({ target: 't', id: 'x', model: 'm', nowMs: () => 0 });
  const reader = createDecodingReader('t', decoder, estimate, parse);
  const bytes = readFileSync(join(WIRE_DATA, path));
  return (await collect(bytes, { packetBytes }, reader, createMessageFramer())).parts;
}

function thinksByEffort(request: JsonObject): boolean {
  return objectAt(request, 'thinking')?.['type'] === 'adaptive';
}

/** The caller's own tools; those of the vendor have a type. */
function ownTools(request: JsonObject): JsonObject[] {
  const tools = Array.isArray(request['tools']) ? request['tools'].filter(isJsonObject) : [];
  return tools.filter((tool) => tool['type'] === undefined);
}

/** Names of the tools that are offered; one that only fills the place has none. */
function toolNames(request: JsonObject): unknown[] {
  const tools = objectAt(request, 'toolConfig')?.['tools'];
  return (Array.isArray(tools) ? tools.filter(isJsonObject) : []).map((tool) => {
    const name = stringAt(objectAt(tool, 'toolSpec') ?? {}, 'name') ?? '';
    return /do_not_call|^no_tool$/.test(name) ? '' : name;
  });
}

function withoutNulls(value: unknown): unknown {
  return parseJson(JSON.stringify(value, (_, each: unknown) => (each === null ? undefined : each)));
}

function messageOf(completion: JsonObject): unknown {
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

function said(text: string): unknown {
  const seen = { content: '', reasoning: '', finish: '', tokens: {} };
  for (const { data } of parseSse(Buffer.from(text))) {
    const chunk = data.startsWith('{"id"') ? parseJson(data) : undefined;
    if (!isJsonObject(chunk)) continue;
    const usage = objectAt(chunk, 'usage');
    if (usage) seen.tokens = { input: usage['prompt_tokens'], output: usage['completion_tokens'] };
    const [choice] = Array.isArray(chunk['choices']) ? chunk['choices'] : [];
    if (!isJsonObject(choice)) continue;
    const delta = objectAt(choice, 'delta') ?? {};
    seen.content += stringAt(delta, 'content') ?? '';
    seen.reasoning += stringAt(delta, 'reasoning_content') ?? '';
    seen.finish = stringAt(choice, 'finish_reason') ?? seen.finish;
  }
  return seen;
}
