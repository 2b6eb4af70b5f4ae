import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../migrate.ts';
import type { Database } from '../../ports/database.ts';
import { createSqliteDatabase } from '../../stores/sqlite/sqlite-database.ts';
import { createIdempotencyStore, type IdempotencyScope, type IdempotencyStore } from './idempotency-store.ts';
import { idempotencyMigrations } from './schema.ts';

/** Two replicas on one database, with one clock and a timer that a test turns by hand. */
let folder: string;
let databases: Database[];
let here: IdempotencyStore;
let there: IdempotencyStore;
let nowMs: number;
let ticks: (() => void)[];

const scope = (idempotencyKey: string, keyId: IdempotencyScope['keyId'] = 'key_a'): IdempotencyScope => ({
  tenantId: 'ten_a',
  keyId,
  idempotencyKey,
});
const answer = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"答":1}' };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sekisho-idempotency-'));
  nowMs = 1_700_000_000_000;
  ticks = [];
  const path = join(folder, 'state.db');
  databases = [createSqliteDatabase({ path }), createSqliteDatabase({ path })];
  const [one, other] = databases.map((database) =>
    createIdempotencyStore({
      database,
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      every: (_, work) => {
        ticks.push(work);
        return { stop: () => void ticks.splice(ticks.indexOf(work), 1) };
      },
    }),
  );
  if (databases[0] === undefined || one === undefined || other === undefined) throw new Error('nothing was made');
  await migrate(databases[0], idempotencyMigrations);
  here = one;
  there = other;
});
afterEach(async () => {
  await Promise.all(databases.map((database) => database.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function claimed(store: IdempotencyStore, place: IdempotencyScope, hash = 'h'): Promise<string> {
  const outcome = await store.claim(place, hash);
  if (outcome.state !== 'claimed') throw new Error(`it was ${outcome.state}`);
  return outcome.claimId;
}

test('of many on two replicas one has the key; the others learn its answer afterwards', async () => {
  const all = await Promise.all(
    Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? here : there).claim(scope('k'), 'h')),
  );
  const mine = all.flatMap((outcome) => (outcome.state === 'claimed' ? [outcome.claimId] : []));
  expect(mine).toHaveLength(1);
  expect(all.filter(({ state }) => state === 'in-progress')).toHaveLength(39);
  await here.keep(mine[0] ?? '', answer);
  expect(await there.claim(scope('k'), 'h')).toEqual({ state: 'answered', answer });
  expect(await there.claim(scope('k'), 'other')).toEqual({ state: 'mismatch' });
  expect((await there.claim(scope('k', 'key_b'), 'other')).state).toBe('claimed');
});

test('what is released is free; what is kept cannot be released', async () => {
  await here.release(await claimed(here, scope('k')));
  const claimId = await claimed(there, scope('k'), 'another request');
  await there.keep(claimId, { ...answer, body: undefined });
  await there.release(claimId);
  expect(await here.claim(scope('k'), 'another request')).toEqual({ state: 'not-kept' });
});

test('a lease is renewed while its process lives, and ends after it', async () => {
  const first = await claimed(here, scope('long'));
  nowMs += 25_000;
  for (const tick of ticks) tick();
  nowMs += 25_000;
  expect((await there.claim(scope('long'), 'h')).state).toBe('in-progress');
  nowMs += 6_000;
  const second = await claimed(there, scope('long'), 'another request');
  // The first process was only asleep: its answer comes too late to count.
  await here.keep(first, answer);
  expect((await here.claim(scope('long'), 'another request')).state).toBe('in-progress');
  await there.keep(second, answer);
  expect((await here.claim(scope('long'), 'another request')).state).toBe('answered');
});

test('the timer runs only while calls do', async () => {
  const first = await claimed(here, scope('a'));
  const second = await claimed(here, scope('b'));
  expect(ticks).toHaveLength(1);
  await here.keep(first, answer);
  expect(ticks).toHaveLength(1);
  await here.release(second);
  expect(ticks).toHaveLength(0);
});

test('an answer lives for 24 hours; then its key is free, and rows are swept in bounded steps', async () => {
  for (let at = 0; at < 1_200; at++) await here.keep(await claimed(here, scope(`k${at}`)), answer);
  nowMs += 24 * 3_600_000 - 1;
  expect((await here.claim(scope('k0'), 'h')).state).toBe('answered');
  nowMs += 120_000;
  expect((await here.claim(scope('k1'), 'h')).state).toBe('claimed');
  // A sweep runs behind the call that set it off: a statement of the same connection finds it ended.
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
  const rows = await databases[0]?.all<{ n: number }>('SELECT COUNT(*) AS n FROM http_idempotency');
  expect(rows?.[0]?.n).toBe(1);
});

test('no statement on a claim reads the whole table', async () => {
  const database = createSqliteDatabase({ path: ':memory:' });
  await migrate(database, idempotencyMigrations);
  for (const sql of [
    'UPDATE http_idempotency SET lease_until_ms = 1 WHERE claim_id = ? AND status IS NULL',
    'UPDATE http_idempotency SET status = 200 WHERE claim_id = ?',
    'DELETE FROM http_idempotency WHERE claim_id = ? AND status IS NULL',
  ]) {
    const plan = await database.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ['c']);
    expect(plan.map(({ detail }) => detail).join()).toContain('USING INDEX http_idempotency_by_claim');
  }
  await database.close();
});
