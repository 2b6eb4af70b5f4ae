import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { MAX_LAPSES, type JobQueue, type LeasedJob, type NewJob } from '../../../src/ports/job-queue.ts';
import { newId } from '../../../src/spec/ids.ts';
import type { JobId, JobQueueName } from '../../../src/spec/job.ts';

export interface JobQueueFixture {
  queue: JobQueue;
  /** Another process on the same store. */
  other: JobQueue;
  nowMs(): number;
  /** Lets a time pass, for the store as well. */
  elapse(ms: number): Promise<void>;
  /** How long a lease may have ended before the job is found again. */
  recoveryMs: number;
  stop(): Promise<void>;
}

const ACME = 'ten_acme';
const GLOBEX = 'ten_globex';
const LEASE_MS = 400;
const FAILURE = { code: 'upstream_unreachable', message: 'away' } as const;

/** What every store of jobs does. */
export function jobQueueContract(name: string, make: () => Promise<JobQueueFixture>): void {
  describe(`job queue: ${name}`, () => {
    let fixture: JobQueueFixture;
    let made = 0;
    beforeAll(async () => {
      fixture = await make();
    });
    afterAll(async () => {
      await fixture.queue.close();
      await fixture.other.close();
      await fixture.stop();
    });

    /** Jobs of one test have a queue in which nothing else stands. */
    const newJob = (job: Partial<NewJob> = {}): NewJob => ({
      id: newId('job', fixture.nowMs() + made++),
      tenantId: ACME,
      queue: 'indexing',
      kind: 'test',
      input: { text: '関所 "x"', deep: { list: [1, null] } },
      keyId: 'key_a',
      priority: 5,
      maxAttempts: 3,
      ...job,
    });
    const add = async (job: Partial<NewJob> = {}): Promise<NewJob> => {
      const given = newJob(job);
      await fixture.queue.add(given);
      return given;
    };
    const take = async (queue: JobQueueName = 'indexing', leaseMs = 60_000): Promise<LeasedJob> => {
      const taken = await fixture.queue.take(queue, leaseMs);
      if (taken === undefined) throw new Error('There is nothing to take.');
      return taken;
    };
    const drained = async (queue: JobQueueName): Promise<void> => {
      expect(await fixture.queue.take(queue, 60_000)).toBeUndefined();
    };
    const stateOf = async (id: JobId) => (await fixture.queue.get(ACME, id))?.state;
    /** Takes what lost its lease, as soon as the store finds it. */
    async function takeLapsed(queue: JobQueueName, leaseMs: number): Promise<LeasedJob> {
      for (let waitedMs = 0; waitedMs <= fixture.recoveryMs * 3; waitedMs += 50) {
        const taken = await fixture.other.take(queue, leaseMs);
        if (taken !== undefined) return taken;
        await fixture.elapse(50);
      }
      throw new Error('The job did not come back.');
    }

    test('a job is what was added, is taken once, and ends with its result', async () => {
      const given = await add();
      await fixture.other.add(given);
      const { maxAttempts, ...rest } = given;
      const waiting = await fixture.other.get(ACME, given.id);
      expect(waiting).toMatchObject({
        ...rest,
        maxAttempts,
        state: 'waiting',
        attempts: 0,
        progress: { total: 0, done: 0, failed: 0, failures: [] },
        result: null,
        failure: null,
        startedMs: null,
        finishedMs: null,
      });
      const taken = await take();
      expect(taken.job).toMatchObject({ ...rest, state: 'active', attempts: 1 });
      expect(await fixture.other.take('indexing', 60_000)).toBeUndefined();
      expect(await fixture.queue.open(ACME)).toBe(1);
      expect(await taken.renew()).toBe('held');
      const progress = { total: 3, done: 1, failed: 1, failures: [{ id: 'b', reason: 'empty' }] };
      expect(await taken.report(progress)).toBe('held');
      expect((await fixture.other.get(ACME, given.id))?.progress).toEqual(progress);
      expect(await taken.done({ ok: true }, { ...progress, done: 2 })).toBe(true);
      const done = await fixture.other.get(ACME, given.id);
      expect(done).toMatchObject({ state: 'done', result: { ok: true }, progress: { ...progress, done: 2 } });
      expect(done?.startedMs).toBeGreaterThan(0);
      expect(done?.finishedMs).toBeGreaterThanOrEqual(done?.startedMs ?? Infinity);
      expect(await fixture.queue.open(ACME)).toBe(0);
    });

    test('the verbs of a lease that has ended change nothing', async () => {
      const given = await add();
      const taken = await take();
      expect(await taken.done({})).toBe(true);
      expect(await taken.renew()).toBe('lost');
      expect(await taken.report({ total: 9, done: 9, failed: 0, failures: [] })).toBe('lost');
      expect(await taken.done({ again: true })).toBe(false);
      expect(await taken.fail({ failure: FAILURE, next: 'give up' })).toBe(false);
      expect(await taken.release()).toBe(false);
      expect(await taken.cancelled()).toBe(false);
      expect(await fixture.queue.get(ACME, given.id)).toMatchObject({ state: 'done', result: {} });
    });

    test('the most urgent comes first, and of those the oldest', async () => {
      const low = await add({ queue: 'query', priority: 0 });
      const first = await add({ queue: 'query', priority: 4 });
      const second = await add({ queue: 'query', priority: 4 });
      const high = await add({ queue: 'query', priority: 9 });
      await add({ queue: 'embedding', priority: 9 });
      const order: JobId[] = [];
      for (let n = 0; n < 4; n++) {
        const taken = await take('query');
        order.push(taken.job.id);
        await taken.done({});
      }
      expect(order).toEqual([high.id, first.id, second.id, low.id]);
      await drained('query');
      await (await take('embedding')).done({});
    });

    test('many takers at once have each job once', async () => {
      const ids = new Set<JobId>();
      for (let n = 0; n < 24; n++) ids.add((await add({ queue: 'embedding' })).id);
      const taken: JobId[] = [];
      const work = async (queue: JobQueue): Promise<void> => {
        for (let misses = 0; misses < 5;) {
          const job = await queue.take('embedding', 60_000);
          if (job === undefined) misses++;
          else {
            taken.push(job.job.id);
            await job.done({});
          }
        }
      };
      await Promise.all([fixture.queue, fixture.other, fixture.queue, fixture.other].map(work));
      expect(taken).toHaveLength(24);
      expect(new Set(taken)).toEqual(ids);
    });

    test('a failed try waits for its time and counts; the last one is a dead letter that can be replayed', async () => {
      const given = await add({ queue: 'query' });
      const failed = { total: 2, done: 1, failed: 0, failures: [] };
      await (
        await take('query')
      ).fail({
        failure: FAILURE,
        next: { retryAtMs: fixture.nowMs() + 300 },
        progress: failed,
      });
      const waiting = await fixture.queue.get(ACME, given.id);
      expect(waiting).toMatchObject({ state: 'waiting', attempts: 1, failure: FAILURE, progress: failed });
      expect(waiting?.notBeforeMs).toBeGreaterThan(fixture.nowMs());
      await drained('query');
      expect((await fixture.queue.oldestWaiting()).map(({ queue }) => queue)).toEqual(['query']);
      await fixture.elapse(320);
      const second = await take('query');
      expect(second.job.attempts).toBe(2);
      expect(await fixture.queue.replay(ACME, given.id)).toBe(false);
      await second.fail({ failure: { code: 'invalid_key', message: 'revoked' }, next: 'give up' });
      expect(await fixture.queue.get(ACME, given.id)).toMatchObject({
        state: 'failed',
        attempts: 2,
        failure: { code: 'invalid_key', message: 'revoked' },
      });
      await drained('query');
      expect(await fixture.queue.open(ACME)).toBe(0);

      expect(await fixture.queue.replay(GLOBEX, given.id)).toBe(false);
      expect(await fixture.other.replay(ACME, given.id)).toBe(true);
      expect(await fixture.other.replay(ACME, given.id)).toBe(false);
      expect(await fixture.queue.get(ACME, given.id)).toMatchObject({
        state: 'waiting',
        attempts: 0,
        finishedMs: null,
      });
      expect(await fixture.queue.open(ACME)).toBe(1);
      const again = await take('query');
      expect(again.job.attempts).toBe(1);
      expect(await again.done({ answer: 1 })).toBe(true);
      expect(await fixture.queue.get(ACME, given.id)).toMatchObject({ state: 'done', failure: null });
    });

    test('what was given back is taken again as the same try', async () => {
      const given = await add({ queue: 'query' });
      expect(await (await take('query')).release()).toBe(true);
      expect(await fixture.queue.get(ACME, given.id)).toMatchObject({ state: 'waiting', attempts: 0 });
      const again = await take('query');
      expect(again.job.attempts).toBe(1);
      await again.done({});
    });

    test('what waits is cancelled at once, and taken by nobody', async () => {
      const given = await add({ queue: 'query', priority: 9 });
      const delayed = await add({ queue: 'query' });
      expect(await fixture.queue.cancel(GLOBEX, given.id)).toBe(false);
      expect(await fixture.queue.cancel(ACME, given.id)).toBe(true);
      expect(await fixture.queue.cancel(ACME, given.id)).toBe(false);
      await (await take('query')).fail({ failure: FAILURE, next: { retryAtMs: fixture.nowMs() + 60_000 } });
      expect(await fixture.other.cancel(ACME, delayed.id)).toBe(true);
      await drained('query');
      for (const { id } of [given, delayed]) {
        const cancelled = await fixture.other.get(ACME, id);
        expect(cancelled).toMatchObject({ id, state: 'cancelled', input: given.input });
        expect(cancelled?.finishedMs).toBeGreaterThan(0);
      }
      expect(await fixture.queue.replay(ACME, given.id)).toBe(false);
      expect(await fixture.queue.open(ACME)).toBe(0);
    });

    test('the worker of what is active is asked to stop, and says when it has', async () => {
      const given = await add({ queue: 'query' });
      const taken = await take('query');
      expect(await fixture.other.cancel(ACME, given.id)).toBe(true);
      expect(await stateOf(given.id)).toBe('active');
      expect(await taken.renew()).toBe('cancelled');
      const progress = { total: 4, done: 2, failed: 0, failures: [] };
      expect(await taken.report(progress)).toBe('cancelled');
      expect(await taken.cancelled(progress)).toBe(true);
      expect(await fixture.queue.get(ACME, given.id)).toMatchObject({ state: 'cancelled', progress });
      expect(await taken.cancelled()).toBe(false);
      expect(await fixture.queue.cancel(ACME, given.id)).toBe(false);
      expect(await fixture.queue.open(ACME)).toBe(0);
      await drained('query');
    });

    test('what was to be cancelled and fails meanwhile is not tried again', async () => {
      const given = await add({ queue: 'query' });
      const taken = await take('query');
      await fixture.queue.cancel(ACME, given.id);
      await taken.fail({ failure: FAILURE, next: { retryAtMs: fixture.nowMs() } });
      await drained('query');
      expect(await stateOf(given.id)).toBe('cancelled');
    });

    test('what was to be cancelled and is given back is not taken again', async () => {
      const given = await add({ queue: 'query' });
      const taken = await take('query');
      await fixture.queue.cancel(ACME, given.id);
      await taken.release();
      await drained('query');
      expect(await stateOf(given.id)).toBe('cancelled');
    });

    test('a worker that is silent loses its lease: another has the job, as a part of the same try', async () => {
      const given = await add({ queue: 'query' });
      const lost = await take('query', LEASE_MS);
      await fixture.elapse(LEASE_MS / 2);
      expect(await lost.renew()).toBe('held');
      await fixture.elapse(LEASE_MS / 2);
      await drained('query');
      await fixture.elapse(LEASE_MS);
      const found = await takeLapsed('query', LEASE_MS);
      expect(found.job).toMatchObject({ id: given.id, attempts: 1, state: 'active' });
      expect(await lost.renew()).toBe('lost');
      expect(await lost.report({ total: 1, done: 1, failed: 0, failures: [] })).toBe('lost');
      expect(await lost.done({ by: 'the dead' })).toBe(false);
      expect(await lost.cancelled()).toBe(false);
      expect(await found.done({ by: 'the living' })).toBe(true);
      expect((await fixture.queue.get(ACME, given.id))?.result).toEqual({ by: 'the living' });
    });

    test('what was to be cancelled when its worker died is cancelled', async () => {
      const given = await add({ queue: 'query' });
      await take('query', LEASE_MS);
      expect(await fixture.queue.cancel(ACME, given.id)).toBe(true);
      await fixture.elapse(LEASE_MS + 20);
      for (let waitedMs = 0; (await stateOf(given.id)) !== 'cancelled'; waitedMs += 50) {
        expect(waitedMs).toBeLessThan(fixture.recoveryMs * 3);
        await drained('query');
        await fixture.elapse(50);
      }
      expect(await fixture.queue.open(ACME)).toBe(0);
    });

    test('lists: newest first, by page, state, queue and key; never of another tenant', async () => {
      const ids: JobId[] = [];
      const tenantId = 'ten_lists';
      for (let n = 0; n < 5; n++) ids.unshift((await add({ tenantId, queue: 'query', keyId: `key_${n % 2}` })).id);
      await (await take('query')).done({});
      const { queue } = fixture;
      const idsOf = async (page: Parameters<JobQueue['list']>[1]) =>
        (await queue.list(tenantId, page)).map(({ id }) => id);
      expect(await idsOf({ limit: 10 })).toEqual(ids);
      const page = await idsOf({ limit: 2 });
      expect(page).toEqual(ids.slice(0, 2));
      expect(await idsOf({ limit: 2, before: page[1] ?? 'job_' })).toEqual(ids.slice(2, 4));
      expect(await idsOf({ limit: 10, state: 'done' })).toEqual(ids.slice(4));
      expect(await idsOf({ limit: 2, state: 'waiting' })).toEqual(ids.slice(0, 2));
      expect(await idsOf({ limit: 10, queue: 'embedding' })).toEqual([]);
      expect(await idsOf({ limit: 10, keyId: 'key_1' })).toEqual(ids.filter((_, at) => at % 2 === 1));
      expect(await queue.list(GLOBEX, { limit: 10 })).toEqual([]);
      expect(await queue.get(GLOBEX, ids[0] ?? 'job_')).toBeUndefined();
      expect(await queue.open(tenantId)).toBe(4);
      const counts = await queue.counts();
      expect(counts).toContainEqual({ queue: 'query', state: 'waiting', jobs: 4 });
      expect(counts.filter(({ state }) => state === 'active')).toEqual([]);
      for (let n = 0; n < 4; n++) await (await take('query')).done({});
    });

    test('what ended before a time is removed; what waits or is active never', async () => {
      const done = await add({ queue: 'query' });
      await (await take('query')).done({});
      const failed = await add({ queue: 'query' });
      await (await take('query')).fail({ failure: FAILURE, next: 'give up' });
      const cancelled = await add({ queue: 'query' });
      await fixture.queue.cancel(ACME, cancelled.id);
      const active = await add({ queue: 'query' });
      const taken = await take('query');
      const waiting = await add({ queue: 'query' });
      expect(await fixture.queue.prune(fixture.nowMs() - 3_600_000)).toBe(0);
      await fixture.elapse(20);
      expect(await fixture.queue.prune(fixture.nowMs())).toBeGreaterThanOrEqual(3);
      for (const { id } of [done, failed, cancelled]) expect(await fixture.queue.get(ACME, id)).toBeUndefined();
      expect((await fixture.queue.list(ACME, { limit: 100 })).map(({ id }) => id)).toEqual([waiting.id, active.id]);
      expect(await taken.done({})).toBe(true);
      await (await take('query')).done({});
    });

    test('a job that ends its workers again and again is failed in the end', async () => {
      const given = await add({ queue: 'query' });
      await take('query', 1);
      for (let lapses = 0; lapses < MAX_LAPSES; lapses++) {
        await fixture.elapse(2);
        await takeLapsed('query', 1);
      }
      await fixture.elapse(2);
      for (let waitedMs = 0; (await stateOf(given.id)) !== 'failed'; waitedMs += 50) {
        expect(waitedMs).toBeLessThan(fixture.recoveryMs * 3);
        await drained('query');
        await fixture.elapse(50);
      }
      expect((await fixture.queue.get(ACME, given.id))?.failure?.code).toBe('internal');
      expect(await fixture.queue.open(ACME)).toBe(0);
    });
  });
}
