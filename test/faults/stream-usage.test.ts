import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, numberAt, objectAt, type JsonObject } from '../../src/lib/json.ts';
import type { SeenStream } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { OPENAI_WIRE_ROADS, ROADS, streamOver, TEXT, textOf, type Road } from './stream-roads.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const WITH_USAGE = { more: { stream_options: { include_usage: true } } };
const settled = (seen: SeenStream) => stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));

test('S9: the streams under test are every dialect over every wire that streams to others', () => {
  const dialects = ['openai', 'anthropic', 'responses'] as const;
  const wires = ['openai', 'anthropic', 'gemini', 'bedrock'] as const;
  const roads = new Set(ROADS.map(({ dialect, wire }) => `${dialect} ${wire}`));
  expect(roads).toEqual(new Set(dialects.flatMap((dialect) => wires.map((wire) => `${dialect} ${wire}`))));
  expect(new Set(ROADS.filter(({ passes }) => passes).map(({ dialect }) => dialect))).toEqual(new Set(dialects));
});

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  test('S7: the usage that is told is the usage that is charged, and it is told once, at the end', async () => {
    const seen = await streamOver(stage, road, road.dialect === 'openai' ? WITH_USAGE : {});
    expect(textOf(road, seen)).toBe(TEXT);
    const row = await settled(seen);
    expect(lastUsage(road, seen)).toEqual({ input: 17, cached: 4, output: road.outputTokens });
    expect(row).toMatchObject({ input_tokens: 17, cached_input_tokens: 4, output_tokens: road.outputTokens });
    const finals = { openai: '"usage":{', anthropic: '"message_delta"', responses: '"response.completed"' };
    const told = seen.data.filter((each) => JSON.stringify(each).includes(finals[road.dialect]));
    expect(told).toHaveLength(1);
  });
});

describe.each(ROADS.filter(({ dialect }) => dialect === 'openai'))('openai dialect over the $wire wire', (road) => {
  test.each([
    ['nothing said', {}],
    ['include_usage false', { stream_options: { include_usage: false } }],
  ])('S7: no usage chunk for a caller who did not ask for one (%s)', async (_, more) => {
    const seen = await streamOver(stage, road, { more });
    expect(seen.text).not.toContain('"usage":{');
    expect(seen.text).not.toContain('"choices":[]');
    expect((await settled(seen)).usage_basis).toBe('reported');
  });
});

describe.each(OPENAI_WIRE_ROADS)('$dialect dialect over the openai wire', (road) => {
  test('S7: where the upstream reports no usage an estimate is charged, and told where the stream is translated', async () => {
    stage.upstream.script({ events: (events) => events.filter((event) => !event.includes('"usage":{')) });
    const seen = await streamOver(stage, road, road.dialect === 'openai' ? WITH_USAGE : {});
    const row = await settled(seen);
    expect(row.usage_basis).toBe('estimated');
    expect(row.output_tokens).toBeGreaterThan(0);
    // What passes as it is, passes as it is: nothing is put between the bytes of the upstream.
    const told = { input: row.input_tokens, cached: 0, output: row.output_tokens };
    expect(lastUsage(road, seen)).toEqual(road.passes ? undefined : told);
  });
});

/** The last usage that a stream told, the whole prompt as input. */
function lastUsage(road: Road, seen: SeenStream): { input: number; cached: number; output: number } | undefined {
  const usage = seen.data.map((each) => (isJsonObject(each) ? usageIn(road, each) : undefined)).findLast(isJsonObject);
  if (usage === undefined) return undefined;
  if (road.dialect === 'openai') {
    const cached = numberAt(objectAt(usage, 'prompt_tokens_details') ?? {}, 'cached_tokens') ?? 0;
    return { input: count(usage, 'prompt_tokens'), cached, output: count(usage, 'completion_tokens') };
  }
  if (road.dialect === 'responses') {
    const cached = numberAt(objectAt(usage, 'input_tokens_details') ?? {}, 'cached_tokens') ?? 0;
    return { input: count(usage, 'input_tokens'), cached, output: count(usage, 'output_tokens') };
  }
  // Anthropic counts what was read from its cache beside the input, and may tell both with the first event only.
  const first = seen.data
    .map((each) => (isJsonObject(each) ? objectAt(each, 'message') : undefined))
    .find((message) => message !== undefined);
  const whole = { ...objectAt(first ?? {}, 'usage'), ...usage };
  const cached = numberAt(whole, 'cache_read_input_tokens') ?? 0;
  return { input: count(whole, 'input_tokens') + cached, cached, output: count(whole, 'output_tokens') };
}

function usageIn(road: Road, event: JsonObject): JsonObject | undefined {
  return objectAt(road.dialect === 'responses' ? (objectAt(event, 'response') ?? {}) : event, 'usage');
}

function count(usage: JsonObject, name: string): number {
  return numberAt(usage, name) ?? Number.NaN;
}
