import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import {
  withCrlf,
  withHugeDelta,
  withInserted,
  withoutLastBlankLine,
  type Behaviour,
} from '../support/fake-provider/behaviour.ts';
import { eventMessage } from '../support/fake-provider/event-message.ts';
import { errorsOf, readStream, type SeenStream } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';
import {
  askOver,
  completions,
  FAILED,
  failureOf,
  OPENAI_WIRE_ROADS,
  ROADS,
  type Road,
  streamOver,
  TEXT,
  textOf,
} from './stream-roads.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const SHAPES: [string, Behaviour][] = [
  ['split at every byte', { pieces: 'byte' }],
  ['all in one packet', { pieces: 'one' }],
  ['compressed although nobody asked', { encoding: 'gzip' }],
  ['compressed and split at every byte', { encoding: 'gzip', pieces: 'byte' }],
];

/** What is possible where a stream is lines of text. */
const LINE_SHAPES: [string, Behaviour][] = [
  ['with CRLF', { events: withCrlf }],
  ['with CRLF, split at every byte', { events: withCrlf, pieces: 'byte' }],
  ['without the last blank line', { events: withoutLastBlankLine }],
  [
    'with comments and blank lines between',
    { events: (events) => events.flatMap((event) => [': hello\n\n\n\n', event]) },
  ],
  ['with a byte order mark', { events: withInserted(0, '\uFEFF') }],
  ['with id and retry fields', { events: (events) => events.map((event, at) => `id: ${at}\nretry: 10\n${event}`) }],
  ['without the blank after the colon', { events: (events) => events.map((event) => event.replaceAll(': {', ':{')) }],
];

/** Events of the bedrock wire, whose bytes are no text. */
const bytesOf = (event: Buffer): string => event.toString('latin1');
const MESSAGE_SHAPES: [string, Behaviour][] = [
  [
    'with events nobody knows between',
    { events: withInserted(4, bytesOf(eventMessage('newEvent', { some: 'data' }))) },
  ],
  ['with an event without data', { events: withInserted(4, bytesOf(eventMessage('contentBlockDelta', {}))) }],
];

const BROKEN_EVENT = 'data: {"broken":\n\n';
/** A message of which one byte of the payload was turned on its way. */
const DAMAGED_MESSAGE = bytesOf(
  eventMessage('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'x' } }),
).replace('"text"', '"te\xfft"');

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  const shapes = [...SHAPES, ...(road.wire === 'bedrock' ? MESSAGE_SHAPES : LINE_SHAPES)];
  test.each(shapes)('S6: a stream %s gives the same text and is settled once', async (_, behaviour) => {
    stage.upstream.script(behaviour);
    const seen = await streamOver(stage, road);
    expect(seen.status).toBe(200);
    expect(errorsOf(seen.data)).toEqual([]);
    expect(textOf(road, seen)).toBe(TEXT);
    expect(completions(road, seen)).toBe(1);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', input_tokens: 17, usage_basis: 'reported' });
  });

  test('S6: invalid JSON in one event ends in an error or in the rest of the text, never in both', async () => {
    const broken = withInserted(4, road.wire === 'bedrock' ? DAMAGED_MESSAGE : BROKEN_EVENT);
    const seen = await streamAfterStart(road, broken);
    const errors = errorsOf(seen.data).length;
    expect(errors + completions(road, seen)).toBe(1);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row.outcome).toBe(errors === 0 ? 'ok' : 'error');
    if (errors === 0) expect(textOf(road, seen)).toBe(TEXT);
    expect((await streamOver(stage, road)).status).toBe(200);
  });

  test('S6: a page of HTML in place of a stream is an error with a status', async () => {
    stage.upstream.onModel(road.model, {
      contentType: 'text/html',
      events: () => ['<html><body>Bad day</body></html>'],
    });
    const response = await askOver(stage, road);
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('Bad day');
  });

  test.each([
    ['HTML', { contentType: 'text/html', body: '<html>Bad day</html>' }],
    ['half of a JSON', { body: '{"id":"x","choices":[{"ind' }],
    ['nothing', { body: '' }],
    ['an array', { body: '[]' }],
  ] as [string, Behaviour][])('S10: %s in place of a plain answer is an error with a status', async (_, behaviour) => {
    stage.upstream.onModel(road.model, behaviour);
    const response = await askOver(stage, road, { stream: false });
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('Bad day');
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_broken' });
  });
});

describe.each(ROADS.filter((road) => road.wire === 'bedrock'))('$dialect dialect over the bedrock wire', (road) => {
  test('S6: a byte that was lost on the way is an error, never half an answer', async () => {
    const torn = withInserted(4, DAMAGED_MESSAGE.replace('\xff', ''));
    expect(failureOf(road, await streamAfterStart(road, torn))).toEqual(FAILED);
    // In one packet nothing has gone out when it is seen: the caller is told by the status.
    stage.upstream.onModel(road.model, { events: torn, pieces: 'one' });
    expect((await askOver(stage, road)).status).toBe(502);
  });
});

describe.each(OPENAI_WIRE_ROADS)('$dialect dialect over the openai wire', (road) => {
  test.each(['event', 'one'] as const)('S6: a data line of 1 MB passes (%s)', async (pieces) => {
    stage.upstream.script({ events: withHugeDelta(1_000_000), pieces });
    const seen = await streamOver(stage, road);
    expect(errorsOf(seen.data)).toEqual([]);
    expect(textOf(road, seen)).toBe('あ'.repeat(333_334) + TEXT);
    expect(completions(road, seen)).toBe(1);
  });

  test('S6: a data line without an end is an error, not memory', async () => {
    const endless = `data: {"choices":[{"delta":{"content":"${'x'.repeat(40_000_000)}`;
    stage.upstream.script({ events: (events) => [...events.slice(0, 2), endless] });
    const seen = await streamOver(stage, road);
    expect(errorsOf(seen.data)).toHaveLength(1);
    expect(completions(road, seen)).toBe(0);
    expect(seen.text.length).toBeLessThan(100_000);
  });
});

/** A stream whose fifth event and what follows come after the answer has begun. */
async function streamAfterStart(road: Road, events: NonNullable<Behaviour['events']>): Promise<SeenStream> {
  stage.upstream.script({ events, stall: { at: { events: 4 } } });
  const response = await askOver(stage, road);
  expect(response.status).toBe(200);
  await stage.upstream.stalled();
  stage.upstream.release();
  return readStream(response);
}
