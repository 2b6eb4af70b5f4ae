import { afterEach, beforeEach, expect, test } from 'bun:test';
import { eventually } from '../../../test/support/eventually.ts';
import { openSourceStage, type SourceStage } from '../../../test/support/source-stage.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import { nextRunMs } from './next-run.ts';
import { createSourceStore } from './source-store.ts';

let stage: SourceStage;
beforeEach(async () => {
  stage = await openSourceStage();
});
afterEach(() => stage.end());

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const runsOf = (id: string) => stage.sources.runs(DEFAULT_TENANT, id, { limit: 100 });
const idle = (id: string, runs: number) =>
  eventually(
    `${runs} runs have ended`,
    async () => (await runsOf(id)).filter(({ state }) => state === 'done').length === runs,
  );

test('a schedule is read in its time zone, also across a change of the clock', () => {
  const at = (schedule: string, zone: string, from: string): string =>
    new Date(nextRunMs(schedule, zone, Date.parse(from)) ?? 0).toISOString();
  expect(at('0 3 * * *', 'Asia/Tokyo', '2026-01-01T00:00:00Z')).toBe('2026-01-01T18:00:00.000Z');
  expect(at('0 3 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:00:00.000Z');
  expect(nextRunMs('0 0 30 2 *', 'UTC', 0)).toBeNull();
  for (const [schedule, zone] of [
    ['* * * * * *', 'UTC'],
    ['0 3 * *', 'UTC'],
    ['often', 'UTC'],
    ['0 3 * * *', 'Mars/Base'],
  ] as const) {
    expect(() => nextRunMs(schedule, zone, 0)).toThrow(/schedule|time_zone/);
  }
});

test('what is due runs, once, and is due again at its next time', async () => {
  stage.write('a.md', 'Words.');
  const source = await stage.create(
    { kind: 'folder', path: stage.inbox },
    { schedule: '0 3 * * *', timeZone: 'Asia/Tokyo' },
  );
  expect(new Date(source.nextRunMs ?? 0).toISOString()).toBe('2026-03-01T18:00:00.000Z');
  await stage.sources.tick();
  expect(await runsOf(source.id)).toEqual([]);

  stage.pass(19 * 3_600_000);
  // Two processes look at the same time.
  const other = stage.open();
  await Promise.all([stage.sources.tick(), other.tick()]);
  await idle(source.id, 1);
  await Promise.all([stage.sources.tick(), other.tick()]);
  expect(await runsOf(source.id)).toHaveLength(1);
  const { nextRunMs: next } = await stage.sources.get(DEFAULT_TENANT, source.id);
  expect(new Date(next ?? 0).toISOString()).toBe('2026-03-02T18:00:00.000Z');
  await other.close();
});

test('a paused source does not run by itself', async () => {
  const source = await stage.create({ kind: 'folder', path: stage.inbox }, { schedule: '* * * * *' });
  await stage.sources.change(DEFAULT_TENANT, source.id, { state: 'paused' });
  stage.pass(3_600_000);
  await stage.sources.tick();
  expect(await runsOf(source.id)).toEqual([]);
});

test('one run of a source at a time, over processes; that of a dead one is taken up', async () => {
  stage.write('a.md', 'Words.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.database.run("UPDATE sources SET lease_owner = 'srun_dead', lease_until_ms = ?", [
    Date.parse('2026-03-01T00:01:00Z'),
  ]);
  expect(stage.sources.run(DEFAULT_TENANT, source.id)).rejects.toMatchObject({ code: 'conflict' });
  await stage.sources.tick();
  expect(await runsOf(source.id)).toEqual([]);
  stage.pass(61_000);
  await stage.sources.tick();
  await idle(source.id, 1);
  expect(await stage.ids()).toEqual(['a.md']);
});

test('of two processes that begin at the same time one runs, and one takes what is due', async () => {
  await stage.end();
  const open = Promise.withResolvers<void>();
  stage = await openSourceStage({ stage: { beforeEmbed: () => open.promise } });
  stage.write('a.md', 'Words.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  const other = stage.open();
  await Promise.all([stage.sources.run(DEFAULT_TENANT, source.id), other.run(DEFAULT_TENANT, source.id)]);
  await eventually('a run goes on', async () => (await stage.sources.get(DEFAULT_TENANT, source.id)).running);
  open.resolve();
  await idle(source.id, 1);
  await other.close();
  expect((await runsOf(source.id)).map(({ state }) => state)).toEqual(['done']);

  const store = createSourceStore({ database: stage.database, clock: { nowMs: () => 1_000, monotonicMs: () => 0 } });
  await store.setNextRun(source, 500);
  expect(await Promise.all([store.claim(source, 9_000), store.claim(source, 9_000)])).toEqual([true, false]);
});

test('files that are handed over stay until they are taken back with their source', async () => {
  const source = await stage.create({ kind: 'upload' });
  const upload = (files: { name: string; bytes: Uint8Array }[]) => {
    stage.pass(1_000);
    return stage.sources.upload(DEFAULT_TENANT, source.id, { files, signal: new AbortController().signal });
  };
  const a = { name: 'a.md', bytes: bytes('Apples.') };
  expect(await upload([a, { name: 'b.md', bytes: bytes('Pears.') }])).toMatchObject({ changed: 2, unchanged: 0 });
  expect(await upload([a])).toMatchObject({ changed: 0, unchanged: 1, removed: 0 });
  expect(await stage.ids()).toEqual(['a.md', 'b.md']);
  expect(stage.sources.change(DEFAULT_TENANT, source.id, { schedule: '0 3 * * *' })).rejects.toMatchObject({
    code: 'invalid_request',
  });
  const folder = await stage.create({ kind: 'folder', path: stage.inbox });
  const wrong = stage.sources.upload(DEFAULT_TENANT, folder.id, { files: [a], signal: new AbortController().signal });
  expect(wrong).rejects.toMatchObject({ code: 'invalid_request' });
});

test('a watched folder follows its changes', async () => {
  const watching = stage.open();
  stage.write('a.md', 'Apples.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox, watch: true });
  watching.start();
  // The watch begins in the background; a change before that would be left to the schedule.
  await eventually('the change is seen', async () => {
    stage.pass(1_000);
    stage.write('deep/b.md', `Pears ${Math.random()}.`);
    await Bun.sleep(700);
    return (await stage.ids()).includes('deep/b.md');
  });
  expect((await runsOf(source.id))[0]).toMatchObject({ failed: 0 });
  await watching.close();
});

test('what is told of a run', async () => {
  stage.write('a.md', 'Apples.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.run(source);
  expect(stage.ended).toMatchObject([
    { source: source.id, kind: 'folder', collection: 'gate', state: 'done', complete: true, counts: { changed: 1 } },
  ]);
});
