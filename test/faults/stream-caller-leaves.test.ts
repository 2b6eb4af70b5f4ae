import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { askOver, ROADS, streamOver, TEXT, textOf } from './stream-roads.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const newRows = (before: number) =>
  eventually('a row is settled', () => {
    const rows = stage.ledger.rows().slice(before);
    return rows.length > 0 && rows;
  });

describe.each(ROADS)('$dialect dialect over the $wire wire', (road) => {
  test('S4: a caller who leaves mid-stream aborts the upstream and is charged exactly once', async () => {
    const key = await stage.server.createKey({ name: 'one at a time', limits: { concurrency: 1 } });
    const sockets = stage.upstream.openSockets();
    stage.upstream.script({ stall: { at: road.midway } });
    const leave = new AbortController();
    const response = await askOver(stage, road, { signal: leave.signal, key });
    const reader = response.body?.getReader();
    await stage.upstream.stalled();
    await reader?.read();
    leave.abort();
    const upstream = await stage.upstream.request(0);
    await upstream.aborted;
    expect(upstream.outcome).toBe('aborted');
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'aborted', attempts: 1, streamed: 1 });
    expect(row.input_tokens).toBeGreaterThan(0);
    expect(row.output_tokens).toBeGreaterThan(0);
    expect(row.cost_micros).toBeGreaterThan(0);
    await eventually('the socket is closed', () => stage.upstream.openSockets() <= sockets);
    const next = await streamOver(stage, road, { key });
    expect(textOf(road, next)).toBe(TEXT);
  });

  test('S4: a caller who leaves before the first byte aborts the upstream', async () => {
    const before = stage.ledger.rows().length;
    stage.upstream.script({ stall: { at: 'before-headers' } });
    const leave = new AbortController();
    const asked = askOver(stage, road, { signal: leave.signal }).catch(() => undefined);
    await stage.upstream.stalled();
    leave.abort();
    await asked;
    await (
      await stage.upstream.request(0)
    ).aborted;
    const [row, ...more] = await newRows(before);
    expect(row).toMatchObject({ outcome: 'aborted', error_code: 'caller_left' });
    expect(more).toEqual([]);
    expect(stage.upstream.requests).toHaveLength(1);
  });

  test('S4: a caller who leaves during a plain call aborts the upstream', async () => {
    const before = stage.ledger.rows().length;
    stage.upstream.script({ stall: { at: 'after-headers' } });
    const leave = new AbortController();
    const asked = askOver(stage, road, { stream: false, signal: leave.signal }).catch(() => undefined);
    await stage.upstream.stalled();
    leave.abort();
    await asked;
    await (
      await stage.upstream.request(0)
    ).aborted;
    const [row, ...more] = await newRows(before);
    expect(row).toMatchObject({ outcome: 'aborted' });
    expect(more).toEqual([]);
  });
});

test('S4: fifty callers who leave at once leave no socket, no slot and fifty rows', async () => {
  const [road] = ROADS;
  if (!road) throw new Error('no road');
  const before = stage.ledger.rows().length;
  const sockets = stage.upstream.openSockets();
  stage.upstream.onModel(road.model, { stall: { at: road.midway } });
  const leave = new AbortController();
  const answers = await Promise.all(Array.from({ length: 50 }, () => askOver(stage, road, { signal: leave.signal })));
  for (const answer of answers) await answer.body?.getReader().read();
  leave.abort();
  await stage.upstream.idle();
  expect(stage.upstream.aborts).toBe(50);
  await eventually('every row is settled', () => stage.ledger.rows().length === before + 50);
  await eventually('the sockets are closed', () => stage.upstream.openSockets() <= sockets);
});
