import { expect, test } from 'bun:test';
import type { ChunkIndex } from '../../src/ports/chunk-index.ts';
import type { Database } from '../../src/ports/database.ts';
import { indexRefOf } from '../../src/rag/collections.ts';
import type { NewDocument } from '../../src/rag/ingest/accept-document.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import { openStage, PLACE, type Stage } from '../support/ingest-stage.ts';

/** How a call to a store ends badly: before it did anything, or after it did everything. */
type Moment = 'before' | 'after';

/** Stores whose n-th writing call fails; the process is taken to end there, so every later one fails too. */
function failingAt(nth: number, moment: Moment) {
  let calls = 0;
  const lost = (): SekishoError => new SekishoError('storage_unavailable', { cause: new Error('injected') });
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    const call = ++calls;
    if (call > nth || (call === nth && moment === 'before')) throw lost();
    const done = await work();
    if (call === nth) throw lost();
    return done;
  };
  return {
    calls: () => calls,
    wrapDatabase: (database: Database): Database => ({
      ...database,
      run: (sql, params) => guarded(() => database.run(sql, params)),
      batch: (statements) => guarded(() => database.batch(statements)),
    }),
    wrapIndex: (index: ChunkIndex): ChunkIndex => ({
      ...index,
      replace: (...args) => guarded(() => index.replace(...args)),
      drop: (ref) => guarded(() => index.drop(ref)),
    }),
  };
}

const documentOf = (number: number, version: string): NewDocument => ({
  id: `d${number}`,
  title: 'Gate',
  content: `The ${version} of traveller${number}. ${'関所で帳面に書いた。'.repeat(number * 40)}`,
  metadata: { version },
});

/** A first ingest, a change of half of it, a deletion: everything that writes. */
async function work({ send, ingest }: ReturnType<Stage['startIngest']>): Promise<void> {
  await send([1, 2, 3, 4].map((number) => documentOf(number, 'first')));
  await send([1, 2, 3, 5].map((number) => documentOf(number, number < 3 ? 'second' : 'first')));
  await ingest.remove(PLACE, ['d4']);
}

test.each(['before', 'after'] satisfies Moment[])(
  'faults 16: whichever writing call of an ingest fails, %s its effect, a restart leaves documents and index as one',
  async (moment) => {
    for (let nth = 1; ; nth++) {
      const stage = await openStage();
      const failing = failingAt(nth, moment);
      const outcome = await work(stage.startIngest(failing)).then(
        () => 'done',
        (error: unknown) => error,
      );
      if (outcome !== 'done') expect(outcome).toMatchObject({ code: 'storage_unavailable' });

      // No answer is made from what no text stands behind, at any time.
      for (const span of await stage.find('traveller1'))
        expect(span).toMatch(/^d1: The (first|second) of traveller1\./);

      const restarted = stage.startIngest();
      await restarted.ingest.resume(new AbortController().signal);
      const rows = await stage.database.all<{ id: string; state: string; pending_hash: string | null }>(
        'SELECT id, state, pending_hash FROM documents ORDER BY id',
      );
      expect(rows.filter((row) => row.state !== 'ready' || row.pending_hash !== null)).toEqual([]);
      if (rows.length > 0) expect(await restarted.ingest.check(PLACE)).toEqual({ orphans: [], missing: [] });
      const [expected, indexed] = await stage.chunks();
      expect(indexed).toBe(expected);
      // What one caller sees after sending the same again is what all callers would have seen without the fault.
      await work(restarted);
      expect(await stage.find('second')).toEqual([
        expect.stringContaining('d1: The second of traveller1.'),
        expect.stringContaining('d2: The second of traveller2.'),
      ]);
      expect(await stage.find('traveller4')).toEqual([]);
      expect(await stage.find('traveller5')).toHaveLength(1);
      const [then, now] = await stage.chunks();
      expect(now).toBe(then);
      await stage.close();

      if (outcome === 'done') {
        // Collection, two acceptances, two or three commits with their publications, a deletion in three steps.
        expect(failing.calls()).toBeGreaterThanOrEqual(11);
        return;
      }
    }
  },
  60_000,
);

const ANOTHER = { chunker: { kind: 'recursive', targetTokens: 20, maxTokens: 40 }, embeddingRoute: 'toy' } as const;

test.each(['before', 'after'] satisfies Moment[])(
  'faults 16: whichever writing call of a shadow build and its swap fails, %s its effect, a restart ends it',
  async (moment) => {
    for (let nth = 1; ; nth++) {
      const stage = await openStage();
      await stage.startIngest().send([1, 2, 3].map((number) => documentOf(number, 'first')));
      const failing = failingAt(nth, moment);
      const broken = stage.startIngest(failing);
      const outcome = await broken.versions.rebuild(PLACE, ANOTHER).then(
        () => broken.versions.settled(PLACE),
        (error: unknown) => expect(error).toMatchObject({ code: 'storage_unavailable' }),
      );
      expect(outcome).toBeUndefined();
      // Whichever index is live, every document is found in it.
      for (const number of [1, 2, 3]) expect(await stage.find(`traveller${number}`)).not.toEqual([]);

      const restarted = stage.startIngest();
      await restarted.ingest.resume(new AbortController().signal);
      await restarted.versions.resume(new AbortController().signal);
      const collection = await restarted.collections.require(PLACE.tenantId, PLACE.collection);
      // What was never begun is begun again by whoever asked for it.
      if (collection.version === 1) {
        await restarted.versions.rebuild(PLACE, ANOTHER);
        await restarted.versions.settled(PLACE);
      }
      restarted.collections.refresh(PLACE.tenantId, PLACE.collection);
      const swapped = await restarted.collections.require(PLACE.tenantId, PLACE.collection);
      const { live, shadow, previous } = await restarted.versions.status(swapped);
      expect({ chunker: swapped.settings.index.chunker, shadow, previous: previous?.version }).toEqual({
        chunker: ANOTHER.chunker,
        shadow: undefined,
        previous: 1,
      });
      expect(await stage.index.count(indexRefOf(swapped))).toBe(live.chunks);
      expect(await restarted.ingest.check(PLACE)).toEqual({ orphans: [], missing: [] });
      await stage.close();
      if (nth > failing.calls()) {
        // Entered, filled, noted, swapped.
        expect(failing.calls()).toBeGreaterThanOrEqual(4);
        return;
      }
    }
  },
  60_000,
);
