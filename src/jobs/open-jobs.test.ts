import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { createManualTime, type ManualTime } from '../../test/support/manual-time.ts';
import { migrate } from '../migrate.ts';
import type { Database } from '../ports/database.ts';
import type { JobHandler, JobRun, Work } from '../ports/jobs.ts';
import { SekishoError } from '../spec/errors.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { JobId, JobProgress } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';
import { createDatabaseJobQueue } from '../stores/database/database-job-queue.ts';
import { jobQueueMigrations } from '../stores/database/job-queue-schema.ts';
import { createSqliteDatabase } from '../stores/sqlite/sqlite-database.ts';
import { openJobs, type JobRoom } from './open-jobs.ts';
import { retryDelayMs } from './retry-delay.ts';

const LEASE_MS = 30_000;
const PRINCIPAL: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_a',
  name: 'a',
  role: 'admin',
  allowedRoutes: [],
  limits: {},
};
const WORK: Work = { tenantId: DEFAULT_TENANT, keyId: 'key_a', queue: 'query', kind: 'test', input: {} };

let time: ManualTime;
let database: Database;
let isAway = false;
let revoked = false;
const told: string[] = [];
const rooms: JobRoom[] = [];

beforeEach(async () => {
  time = createManualTime();
  isAway = false;
  revoked = false;
  told.length = 0;
  const sqlite = createSqliteDatabase({ path: ':memory:' });
  await migrate(sqlite, jobQueueMigrations);
  const orAway = <T>(work: () => Promise<T>): Promise<T> =>
    isAway ? Promise.reject(new SekishoError('storage_unavailable')) : work();
  database = {
    all: (sql, params) => orAway(() => sqlite.all(sql, params)),
    run: (sql, params) => orAway(() => sqlite.run(sql, params)),
    batch: (statements) => orAway(() => sqlite.batch(statements)),
    close: () => sqlite.close(),
  };
});
afterEach(async () => {
  isAway = false;
  await Promise.all(rooms.splice(0).map((room) => stop(room)));
  await database.close();
});

/** A process with workers, on the same database. */
function open(handler: JobHandler | JobHandler['run'], options: { workers?: number; maxOpen?: number } = {}): JobRoom {
  let tokens = 0;
  const place = rooms.length;
  const workers = options.workers ?? 2;
  const room = openJobs({
    queue: createDatabaseJobQueue({ database, clock: time.clock, newToken: () => `${place}-${tokens++}` }),
    clock: time.clock,
    sleep: time.sleep,
    random: () => 1,
    principalOf: () => (revoked ? Promise.reject(new SekishoError('invalid_key')) : Promise.resolve(PRINCIPAL)),
    workers: { indexing: 0, embedding: 0, query: workers },
    leaseMs: LEASE_MS,
    retentionMs: 60_000,
    maxOpen: options.maxOpen ?? 100,
    events: {
      jobEnded: (job, { state }) => void told.push(`${job.kind} ${state}`),
      jobRetried: (_, { delayMs }) => void told.push(`retry in ${delayMs}`),
      jobsCounted: () => undefined,
      storeDown: () => void told.push('store down'),
    },
  });
  room.handle('test', typeof handler === 'function' ? { run: handler } : handler);
  rooms.push(room);
  return room;
}

async function stop(room: JobRoom): Promise<void> {
  const stopped = room.stop(1_000);
  await time.pass(1_000);
  await stopped;
}

async function stateOf(room: JobRoom, id: JobId) {
  return (await room.get(DEFAULT_TENANT, id))?.state;
}

/** A handler that waits until it is let go or given up. */
function holding() {
  const runs: JobRun[] = [];
  const ends: (() => void)[] = [];
  const run = (given: JobRun): Promise<Record<string, never>> => {
    runs.push(given);
    return new Promise((resolve, reject) => {
      ends.push(() => resolve({}));
      given.signal.addEventListener('abort', () => reject(new SekishoError('caller_left')));
    });
  };
  return { runs, run, end: (at: number) => ends[at]?.() };
}

describe('background work', () => {
  test('what is submitted is done at once by a free worker, and by no more workers than there are', async () => {
    const held = holding();
    const room = open(held.run);
    room.start();
    await time.settle();
    const ids: JobId[] = [];
    for (let n = 0; n < 3; n++) {
      ids.push((await room.submit(WORK)).id);
      await time.settle();
    }
    expect(held.runs.map(({ job }) => job.id)).toEqual(ids.slice(0, 2));
    held.end(0);
    await time.settle();
    expect(held.runs).toHaveLength(3);
    held.end(1);
    held.end(2);
    await time.settle();
    for (const id of ids) expect(await stateOf(room, id)).toBe('done');
    expect(told).toEqual(['test done', 'test done', 'test done']);
  });

  test('a retryable failure is tried three times, longer apart each time; any other fails at once', async () => {
    let failure = new SekishoError('upstream_unreachable', { values: { target: 'up/x' } });
    let runs = 0;
    const lastTries: boolean[] = [];
    const given: string[] = [];
    const room = open({
      run: ({ isLastTry }) => {
        runs++;
        lastTries.push(isLastTry);
        return Promise.reject(failure);
      },
      onGivenUp: (_, end) => {
        given.push(end.state);
        return Promise.resolve({ total: 4, done: 0, failed: 4, failures: [] });
      },
    });
    room.start();
    const { id } = await room.submit(WORK);
    await time.pass(1);
    expect(await room.get(DEFAULT_TENANT, id)).toMatchObject({ state: 'waiting', attempts: 1, notBeforeMs: 1_001_000 });
    await time.pass(900);
    expect(runs).toBe(1);
    await time.pass(1_100);
    expect(runs).toBe(2);
    await time.pass(5_000);
    expect(lastTries).toEqual([false, false, true]);
    expect(await room.get(DEFAULT_TENANT, id)).toMatchObject({
      state: 'failed',
      attempts: 3,
      failure: { code: 'upstream_unreachable' },
      progress: { total: 4, failed: 4 },
    });
    expect(given).toEqual(['failed']);
    expect(told).toEqual(['retry in 1000', 'retry in 2000', 'test failed']);

    failure = new SekishoError('forbidden', { values: { action: 'that' } });
    expect(await room.replay(DEFAULT_TENANT, id)).toBe(true);
    await time.pass(1_000);
    expect(await room.get(DEFAULT_TENANT, id)).toMatchObject({
      state: 'failed',
      attempts: 1,
      failure: { code: 'forbidden' },
    });
  });

  test('the job of a key that was revoked meanwhile fails, and says so', async () => {
    const held = holding();
    const room = open(held.run);
    const { id } = await room.submit(WORK);
    revoked = true;
    room.start();
    await time.settle();
    const job = await room.get(DEFAULT_TENANT, id);
    expect(job).toMatchObject({ state: 'failed', attempts: 1, failure: { code: 'invalid_key' } });
    expect(job?.failure?.message).toContain('revoked');
    expect(held.runs).toHaveLength(0);
  });

  test('a worker keeps its lease for as long as it works; one that is silent loses its job to another', async () => {
    const [held, other] = [holding(), holding()];
    const [first, second] = [open(held.run, { workers: 1 }), open(other.run)];
    const { id } = await first.submit(WORK);
    first.start();
    await time.settle();
    second.start();
    await time.pass(LEASE_MS * 4);
    expect([held.runs.length, other.runs.length]).toEqual([1, 0]);

    // Its process hangs: nothing is renewed any more.
    await database.run('UPDATE jobs SET lease_until_ms = ?', [time.clock.nowMs()]);
    await time.pass(1_000);
    expect(other.runs.map(({ job }) => [job.id, job.attempts])).toEqual([[id, 1]]);
    await time.pass(LEASE_MS / 3);
    expect(held.runs[0]?.signal.aborted).toBe(true);
    other.end(0);
    await time.settle();
    expect(await stateOf(second, id)).toBe('done');
    expect(told).toEqual(['test done']);
  });

  test('cancelling aborts the handler, here at once and elsewhere at the next renewal', async () => {
    const held = holding();
    const given: string[] = [];
    const handler: JobHandler = {
      run: held.run,
      onGivenUp: (_, end) => {
        given.push(end.state);
        return Promise.resolve(undefined);
      },
    };
    const [here, elsewhere] = [open(handler), open(handler, { workers: 0 })];
    here.start();
    const first = await here.submit(WORK);
    await time.settle();
    const ids = [first.id, (await here.submit(WORK)).id] as const;
    await time.settle();
    held.runs[0]?.report({ total: 9, done: 4, failed: 0, failures: [] });
    expect(await here.cancel(DEFAULT_TENANT, ids[0])).toBe(true);
    await time.settle();
    expect(await here.get(DEFAULT_TENANT, ids[0])).toMatchObject({
      state: 'cancelled',
      progress: { total: 9, done: 4 },
    });
    expect(await elsewhere.cancel(DEFAULT_TENANT, ids[1])).toBe(true);
    await time.settle();
    expect(await stateOf(here, ids[1])).toBe('active');
    await time.pass(LEASE_MS / 3);
    expect(await stateOf(here, ids[1])).toBe('cancelled');
    expect(given).toEqual(['cancelled', 'cancelled']);
    // What never began is given up by whoever cancels it.
    const waiting = await elsewhere.submit({ ...WORK, queue: 'embedding' });
    expect(await elsewhere.cancel(DEFAULT_TENANT, waiting.id)).toBe(true);
    expect(given).toHaveLength(3);
    expect(await elsewhere.cancel(DEFAULT_TENANT, waiting.id)).toBe(false);
  });

  test('a process that stops gives its jobs back; the next one takes them at once, as the same try', async () => {
    const [held, next] = [holding(), holding()];
    const [first, second] = [open(held.run), open(next.run)];
    first.start();
    const { id } = await first.submit(WORK);
    await time.settle();
    await stop(first);
    expect(await second.get(DEFAULT_TENANT, id)).toMatchObject({ state: 'waiting', attempts: 0 });
    second.start();
    await time.settle();
    expect(next.runs[0]?.job).toMatchObject({ id, attempts: 1 });
    next.end(0);
    await time.settle();
    expect(await stateOf(second, id)).toBe('done');
  });

  test('while the store is away nothing is taken; what ends meanwhile is written when it is back', async () => {
    const held = holding();
    const room = open(held.run);
    room.start();
    const { id } = await room.submit(WORK);
    await time.settle();
    isAway = true;
    held.end(0);
    await time.pass(LEASE_MS / 2);
    expect(told).toContain('store down');
    await expect(room.submit(WORK)).rejects.toMatchObject({ code: 'storage_unavailable' });
    isAway = false;
    await time.pass(2_000);
    expect(await stateOf(room, id)).toBe('done');
    expect(held.runs).toHaveLength(1);
    await room.submit(WORK);
    await time.settle();
    expect(held.runs).toHaveLength(2);
  });

  test('progress is written at once, then now and then, and the last of it with the end', async () => {
    const written: JobProgress[] = [];
    const held = holding();
    const room = open(held.run);
    room.start();
    const { id } = await room.submit({ ...WORK, total: 1_000 });
    expect((await room.get(DEFAULT_TENANT, id))?.progress.total).toBe(1_000);
    await time.settle();
    const run = held.runs[0];
    for (let done = 1; done <= 1_000; done++) {
      run?.report({ total: 1_000, done, failed: 0, failures: [{ id: 'x'.repeat(5_000), reason: 'y'.repeat(5_000) }] });
      if (done % 250 === 0) await time.pass(100);
      const { progress } = (await room.get(DEFAULT_TENANT, id)) ?? {};
      if (progress !== undefined && progress.done !== written.at(-1)?.done) written.push(progress);
    }
    held.end(0);
    await time.settle();
    const ended = await room.get(DEFAULT_TENANT, id);
    expect(ended?.progress.done).toBe(1_000);
    expect(written.length).toBeLessThan(5);
    expect(JSON.stringify(ended?.progress).length).toBeLessThan(2_000);
  });

  test('a tenant may have so many open jobs and no more; a result and an input may be so large', async () => {
    const room = open(() => Promise.resolve({ text: 'x'.repeat(1_000_001) }), { maxOpen: 2 });
    await room.submit(WORK);
    const { id } = await room.submit(WORK);
    await expect(room.submit(WORK)).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 10_000 });
    await room.submit({ ...WORK, tenantId: 'ten_other' });
    room.start();
    await time.settle();
    expect(await room.get(DEFAULT_TENANT, id)).toMatchObject({ state: 'failed', failure: { code: 'invalid_request' } });
    const large = { ...WORK, input: { text: 'x'.repeat(1_000_001) } };
    await expect(room.submit(large)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('what ended is removed after its time, and what handlers left behind is cleared away', async () => {
    let tidied = 0;
    const room = open({
      run: () => Promise.resolve({}),
      tidy: () => {
        tidied++;
        return Promise.resolve();
      },
    });
    room.start();
    const { id } = await room.submit(WORK);
    await time.pass(30_000);
    expect(await stateOf(room, id)).toBe('done');
    await time.pass(600_000);
    expect(await stateOf(room, id)).toBeUndefined();
    expect(tidied).toBeGreaterThan(1);
  });
});

test('delays double, half of them by chance, up to a minute, and never less than was asked for', () => {
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 20].map((attempt) => retryDelayMs(attempt, () => 1));
  expect(all).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(retryDelayMs(3, () => 0)).toBe(2_000);
  expect(retryDelayMs(1, () => 1, 90_000)).toBe(90_000);
});
