import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { withoutDone, type Behaviour } from '../support/fake-provider/behaviour.ts';
import { errorsOf } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';
import {
  completions,
  FAILED,
  failureOf,
  finishes,
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

const HOW = ['reset', 'cut', 'bad-chunk'] as const;

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  test.each(HOW)(
    'S2: an upstream that dies mid-stream (%s) is an error event, no end mark, settled as failed',
    async (how) => {
      stage.upstream.script({ break: { at: road.midway, how } });
      const seen = await streamOver(stage, road);
      expect(failureOf(road, seen)).toEqual(FAILED);
      expect(finishes(road, seen)).toBe(0);
      expect(TEXT.startsWith(textOf(road, seen))).toBe(true);
      const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
      expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_broken', attempts: 1 });
      expect(row.input_tokens).toBeGreaterThan(0);
      expect(stage.upstream.requests).toHaveLength(1);
    },
  );

  test('S1: an upstream that ends properly but in the middle of its answer is an error', async () => {
    stage.upstream.script({ events: (events) => events.slice(0, 5) });
    const seen = await streamOver(stage, road);
    expect(failureOf(road, seen)).toEqual(FAILED);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_broken' });
  });
});

/** The stream up to the event that gives the reason for the end; what would come after it never comes. */
const REASONS = {
  openai: '"finish_reason":"',
  anthropic: '"stop_reason":"',
  gemini: '"finishReason":"',
  bedrock: '"stopReason":"',
};
function upToReason(road: Road): (events: readonly string[]) => string[] {
  const reason = road.dialect === 'responses' && road.passes ? 'response.completed' : REASONS[road.wire];
  return (events) => events.slice(0, events.findIndex((event) => event.includes(reason)) + 1);
}

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  test.each(['end', 'cut', 'reset'] as const)(
    'S1: an upstream whose last word is its finish reason (%s) has answered, and the stream ends at once',
    async (how) => {
      const broken = how === 'end' ? {} : { break: { at: 'end', how } as const };
      stage.upstream.script({ events: upToReason(road), ...broken });
      const seen = await streamOver(stage, road);
      expect(textOf(road, seen)).toBe(TEXT);
      expect(errorsOf(seen.data)).toEqual([]);
      expect([finishes(road, seen), seen.end]).toEqual([1, 'closed']);
      const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
      expect(row).toMatchObject({ outcome: 'ok', error_code: null });
      expect(row.output_tokens).toBeGreaterThan(0);
      expect(stage.upstream.requests).toHaveLength(1);
    },
  );
});

describe.each(ROADS.filter((road) => road.wire === 'openai'))('$dialect dialect over the openai wire', (road) => {
  const ends: [string, Behaviour][] = [
    ['ends the body', {}],
    ['is cut', { break: { at: 'end', how: 'cut' } }],
    ['is reset', { break: { at: 'end', how: 'reset' } }],
  ];
  test.each(ends)('S1: after a finish reason but without [DONE], an upstream that %s has answered', async (_, end) => {
    stage.upstream.script({ events: withoutDone, ...end });
    const seen = await streamOver(stage, road);
    expect(textOf(road, seen)).toBe(TEXT);
    expect(errorsOf(seen.data)).toEqual([]);
    expect(finishes(road, seen)).toBe(1);
    expect(completions(road, seen)).toBeLessThanOrEqual(1);
    expect(seen.end).toBe('closed');
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', output_tokens: 13, usage_basis: 'reported' });
    expect(stage.upstream.requests).toHaveLength(1);
  });

  test.each(HOW)('F3: broken after the headers (%s) falls back: one answer, from the spare', async (how) => {
    stage.upstream.onModel('gpt-4o-mini', { break: { at: 'after-headers', how } });
    const seen = await streamOver(stage, road, { route: 'backed' });
    expect(textOf(road, seen)).toBe(TEXT);
    expect(completions(road, seen)).toBe(1);
    expect(seen.headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
    expect(stage.spare.requests).toHaveLength(1);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', target: 'spare/gpt-4o-mini' });
  });

  test.each(HOW)('F3: broken after one event (%s) never falls back: no spliced answers', async (how) => {
    stage.upstream.script({ break: { at: { events: 2 }, how } });
    const seen = await streamOver(stage, road, { route: 'backed' });
    expect(failureOf(road, seen)).toEqual(FAILED);
    expect(textOf(road, seen)).toBe('The');
    expect(stage.upstream.requests).toHaveLength(1);
    expect(stage.spare.requests).toHaveLength(0);
  });
});
