import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { HASTY_LIMIT_MS, startStage, type Stage } from '../support/stage.ts';
import { askOver, FAILED, failureOf, PINGING_ROADS, ROADS, streamOver, TEXT, textOf } from './stream-roads.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  test('F2: an upstream that stalls mid-stream is given up: error event, settled once, socket and slot free', async () => {
    const key = await stage.server.createKey({ name: 'one at a time', limits: { concurrency: 1 } });
    const sockets = stage.upstream.openSockets();
    stage.upstream.script({ stall: { at: road.midway } });
    const started = performance.now();
    const seen = await streamOver(stage, road, { route: road.hasty, key });
    expect(performance.now() - started).toBeLessThan(HASTY_LIMIT_MS);
    expect(failureOf(road, seen)).toEqual(FAILED);
    expect(TEXT.startsWith(textOf(road, seen))).toBe(true);
    expect(textOf(road, seen)).not.toBe('');
    expect(seen.text).toContain('between-data');

    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_timeout', attempts: 1, streamed: 1 });
    expect(row.output_tokens).toBeGreaterThan(0);
    await (
      await stage.upstream.request(0)
    ).aborted;
    await eventually('the sockets are closed', () => stage.upstream.openSockets() <= sockets);
    expect((await streamOver(stage, road, { key })).status).toBe(200);
  });

  test.each(['before-headers', 'after-headers'] as const)('F2: a stall %s is a timeout with a status', async (at) => {
    stage.upstream.script({ stall: { at } });
    const response = await askOver(stage, road, { route: road.hasty });
    expect(response.status).toBe(504);
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_timeout' });
    await (
      await stage.upstream.request(0)
    ).aborted;
  });

  test('F2: a plain answer that stalls in its body is a timeout', async () => {
    stage.upstream.script({ stall: { at: 'after-headers' } });
    const response = await askOver(stage, road, { route: road.hasty, stream: false });
    expect(response.status).toBe(504);
    await (
      await stage.upstream.request(0)
    ).aborted;
  });
});

describe.each(PINGING_ROADS)('$dialect dialect over the $wire wire', (road) => {
  test('S3: comments and heartbeats do not reset the between-data timer', async () => {
    stage.upstream.script({ stall: { at: road.midway, ping: road.ping } });
    const seen = await streamOver(stage, road, { route: road.hasty });
    expect(failureOf(road, seen)).toEqual(FAILED);
    const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', error_code: 'upstream_timeout' });
  });

  test('S3: comments alone are not the first byte', async () => {
    stage.upstream.onModel(road.model, { stall: { at: 'after-headers', ping: road.ping } });
    const response = await askOver(stage, road, { route: road.hasty });
    expect(response.status).toBe(504);
    expect(await response.text()).toContain('first-byte');
    expect(stage.upstream.requests).toHaveLength(1);
  });
});

test('F2: a stall before the first byte falls back to the next target', async () => {
  stage.upstream.script({ stall: { at: 'before-headers' } });
  const [road] = ROADS;
  if (!road) throw new Error('no road');
  const seen = await streamOver(stage, road, { route: 'hasty-backed' });
  expect(textOf(road, seen)).toBe(TEXT);
  expect(seen.headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
  const row = await stage.ledger.settled(seen.headers.get('x-sekisho-request-id'));
  expect(row).toMatchObject({ outcome: 'ok', target: 'spare/gpt-4o-mini', attempts: 2 });
});

test('F2: twenty stalled streams at once leave nothing behind', async () => {
  const sockets = stage.upstream.openSockets();
  stage.upstream.onModel('gpt-4o-mini', { stall: { at: { events: 3 } } });
  const [road] = ROADS;
  if (!road) throw new Error('no road');
  const all = await Promise.all(Array.from({ length: 20 }, () => streamOver(stage, road, { route: 'hasty' })));
  for (const seen of all) expect(failureOf(road, seen)).toEqual(FAILED);
  await stage.upstream.idle();
  await eventually('the sockets are closed', () => stage.upstream.openSockets() <= sockets);
  const rows = await Promise.all(all.map((seen) => stage.ledger.settled(seen.headers.get('x-sekisho-request-id'))));
  expect(rows.every((row) => row.outcome === 'error')).toBe(true);
});
