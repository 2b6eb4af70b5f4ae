import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { recordedEvents } from '../support/fake-provider/recorded-answer.ts';
import { recordedResponse } from '../support/fake-provider/responses.ts';
import { readStream } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';
import {
  askOver,
  FAILED,
  failureOf,
  finishes,
  OPENAI_WIRE_ROADS,
  ROADS,
  streamOver,
  TEXT,
  textOf,
  type Road,
} from './stream-roads.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

/** The ids of the recorded parallel calls. */
const CALL_IDS = {
  openai: ['call_tokyo01', 'call_paris02'],
  anthropic: ['toolu_tokyo01', 'toolu_paris02'],
  bedrock: ['tooluse_tokyo01', 'tooluse_paris02'],
};
const WITH_USAGE = { stream_options: { include_usage: true } };

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  test('S5: an event goes out when it has come in, not when the next one comes', async () => {
    stage.upstream.script({ stall: { at: road.midway } });
    const response = await askOver(stage, road);
    await stage.upstream.stalled();
    const reader = response.body?.getReader();
    let early = '';
    const decoder = new TextDecoder();
    while (!early.includes('The')) early += decoder.decode((await reader?.read())?.value, { stream: true });
    reader?.releaseLock();
    stage.upstream.release();
    const rest = await readStream(response);
    expect(rest.end).toBe('closed');
  });

  test('S5: a stream finishes exactly once', async () => {
    const seen = await streamOver(stage, road, road.dialect === 'openai' ? { more: WITH_USAGE } : {});
    expect(textOf(road, seen)).toBe(TEXT);
    expect(finishes(road, seen)).toBe(1);
  });

  test('S7: usage is settled as reported although the caller did not ask for it', async () => {
    const seen = await streamOver(stage, road);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', input_tokens: 17, cached_input_tokens: 4, usage_basis: 'reported' });
    expect(row.output_tokens).toBe(road.outputTokens);
    if (road.dialect !== 'openai') return;
    const usages = seen.data.filter((each) => isJsonObject(each) && isJsonObject(each['usage']));
    const empty = seen.data.filter((each) => isJsonObject(each) && JSON.stringify(each['choices']) === '[]');
    expect([usages, empty]).toEqual([[], []]);
  });

  test('S8: parallel tool calls keep their indexes and their order, split at every byte', async () => {
    stage.upstream.script({ answer: 'parallel-tools', pieces: 'byte' });
    const seen = await streamOver(stage, road);
    const calls = toolCalls(road.dialect, seen.data);
    expect(calls.map((call) => call.arguments)).toEqual([
      '{"city":"Tokyo","unit":"celsius"}',
      '{"city":"Paris","unit":"celsius"}',
    ]);
    const ids = calls.map(({ id }) => id);
    // Gemini sends no ids, so that ours are as good as any.
    if (road.wire === 'gemini') expect(new Set(ids.filter((id) => id !== '')).size).toBe(2);
    else expect(ids).toEqual(CALL_IDS[road.wire]);
  });

  test('S10: a broken stream is nowhere counted as a success', async () => {
    const before = await outcomes();
    stage.upstream.script({ break: { at: road.midway, how: 'reset' } });
    expect(failureOf(road, await streamOver(stage, road))).toEqual(FAILED);
    const after = await outcomes();
    expect(after.ok).toBe(before.ok);
    expect(after.other).toBe(before.other + 1);
  });
});

describe.each(ROADS.filter((road) => road.passes))('$dialect over its own wire', (road) => {
  test('S5: the bytes of the upstream come through as they are', async () => {
    const more = road.dialect === 'openai' ? WITH_USAGE : {};
    const seen = await streamOver(stage, road, { more });
    const sent = recorded(road, stage.upstream.requests[0]?.json ?? {}).join('');
    expect(seen.text).toBe(sent);
    expect(seen.headers.get('content-type')).toStartWith('text/event-stream');
  });
});

describe.each(OPENAI_WIRE_ROADS)('$dialect dialect over the openai wire', (road) => {
  test('S7: an upstream that reports no usage is settled by an estimate', async () => {
    stage.upstream.script({ events: (events) => events.filter((event) => !event.includes('"usage":{')) });
    const seen = await streamOver(stage, road, road.dialect === 'openai' ? { more: WITH_USAGE } : {});
    expect(textOf(road, seen)).toBe(TEXT);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', usage_basis: 'estimated' });
    expect(row.input_tokens).toBeGreaterThan(0);
    expect(row.output_tokens).toBeGreaterThan(0);
  });
});

function recorded(road: Road, request: JsonObject): string[] {
  return road.dialect === 'responses' ? recordedResponse('plain') : recordedEvents(road.dialect, 'plain', request);
}

/** The tool calls of a stream, in the order of their indexes. */
function toolCalls(dialect: string, data: readonly unknown[]): { id: string; arguments: string }[] {
  const calls = new Map<number, { id: string; arguments: string }>();
  const at = (index: unknown) => {
    const known = calls.get(Number(index)) ?? { id: '', arguments: '' };
    calls.set(Number(index), known);
    return known;
  };
  for (const each of data) {
    if (!isJsonObject(each)) continue;
    if (dialect === 'responses') {
      const { item, output_index: index, delta } = each;
      if (isJsonObject(item) && item['type'] === 'function_call') at(index).id = String(item['call_id']);
      if (each['type'] === 'response.function_call_arguments.delta') at(index).arguments += String(delta);
      continue;
    }
    if (dialect === 'anthropic') {
      const { content_block: block, delta, index } = each;
      if (isJsonObject(block) && block['type'] === 'tool_use') at(index).id = String(block['id']);
      if (isJsonObject(delta) && delta['type'] === 'input_json_delta')
        at(index).arguments += String(delta['partial_json']);
      continue;
    }
    const choice = Array.isArray(each['choices']) ? each['choices'][0] : undefined;
    const delta = isJsonObject(choice) ? choice['delta'] : undefined;
    const pieces = isJsonObject(delta) && Array.isArray(delta['tool_calls']) ? delta['tool_calls'] : [];
    for (const piece of pieces) {
      if (!isJsonObject(piece)) continue;
      const call = at(piece['index']);
      if (typeof piece['id'] === 'string') call.id = piece['id'];
      if (isJsonObject(piece['function'])) call.arguments += String(piece['function']['arguments'] ?? '');
    }
  }
  return [...calls].sort(([a], [b]) => a - b).map(([, call]) => call);
}

/** What /metrics has counted of model calls, by whether they went well. */
async function outcomes(): Promise<{ ok: number; other: number }> {
  const response = await fetch(`${stage.server.url}/metrics`, {
    headers: { authorization: `Bearer ${stage.server.adminKey}` },
  });
  const counted = { ok: 0, other: 0 };
  for (const line of (await response.text()).split('\n')) {
    const found = /^llm_requests_total\{(.*)\} ([\d.e+]+)$/.exec(line);
    if (!found) continue;
    counted[/="(ok|success|200)"/.test(found[1] ?? '') ? 'ok' : 'other'] += Number(found[2]);
  }
  return counted;
}
