import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { openStage, PLACE, type Stage, type StageOptions } from '../../../test/support/ingest-stage.ts';
import type { CollectionSettings } from '../../spec/collection.ts';
import { SekishoError } from '../../spec/errors.ts';
import { indexRefOf, type Collection } from '../collections.ts';

const SMALLER: CollectionSettings['index'] = {
  chunker: { kind: 'recursive', targetTokens: 20, maxTokens: 40 },
  embeddingRoute: 'toy',
};
const never = new AbortController().signal;
const many = (count: number, word = 'gate') =>
  Array.from({ length: count }, (_, i) => document(`d${i}`, `The ${word} of traveller${i}.`));
const long = (id: string): { id: string; content: string } =>
  document(id, 'The traveller passed the gate and wrote it down. '.repeat(40));
const document = (id: string, content: string): { id: string; content: string } => ({ id, content });

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

type Started = ReturnType<Stage['startIngest']>;

async function collectionOf({ collections }: Started): Promise<Collection> {
  collections.refresh(PLACE.tenantId, PLACE.collection);
  return collections.require(PLACE.tenantId, PLACE.collection);
}

/** What is the case: the live version, its rows and its books, what stands beside it. */
async function stateOf(started: Started) {
  const collection = await collectionOf(started);
  const { live, shadow, previous } = await started.versions.status(collection);
  expect(await stage.index.count(indexRefOf(collection))).toBe(live.chunks);
  expect(await started.ingest.check(PLACE)).toEqual({ orphans: [], missing: [] });
  return { version: collection.version, documents: live.documents, shadow: shadow?.state, previous: previous?.version };
}

/** An embedding model that stops at the texts with a word until it is let go on. */
function holdingAt(word: string) {
  let reached: () => void = () => undefined;
  let release: () => void = () => undefined;
  const isReached = new Promise<void>((resolve) => (reached = resolve));
  const isReleased = new Promise<void>((resolve) => (release = resolve));
  let holds = false;
  const beforeEmbed: StageOptions['beforeEmbed'] = async (texts) => {
    if (!holds || !texts.some((text) => text.includes(word))) return;
    reached();
    await isReleased;
  };
  return { beforeEmbed, hold: () => void (holds = true), isReached, release };
}

describe('a change of the chunker', () => {
  test('builds an index beside the live one and swaps; the old one stays', async () => {
    const started = stage.startIngest();
    await started.send([long('a'), ...many(30)]);
    const before = (await started.versions.status(await collectionOf(started))).live;
    await started.versions.rebuild(PLACE, SMALLER);
    expect((await collectionOf(started)).version).toBe(1);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toEqual({ version: 2, documents: 31, shadow: undefined, previous: 1 });
    const collection = await collectionOf(started);
    expect(collection.settings.index).toEqual(SMALLER);
    expect(collection.fingerprint).toContain('recursive-1:20/40');
    expect((await started.versions.status(collection)).live.chunks).toBeGreaterThan(before.chunks);
    expect(await stage.find('traveller7')).toEqual(['d7: The gate of traveller7.']);
  });

  test('readers who never pause see the old index or the new one, never neither', async () => {
    const started = stage.startIngest();
    await started.send(many(300));
    let done = false;
    const seen = new Set<number>();
    const reading = (async () => {
      while (!done) {
        const collection = await started.collections.require(PLACE.tenantId, PLACE.collection);
        const hits = await stage.index.searchLexical(indexRefOf(collection), ['traveller123'], { limit: 5 });
        const spans = await started.documents.hydrate(PLACE.tenantId, PLACE.collection, hits);
        expect(spans.map((span) => span?.content)).toEqual(['The gate of traveller123.']);
        seen.add(collection.version);
      }
    })();
    for (const chunker of [SMALLER.chunker, { kind: 'fixed', tokens: 50, overlapTokens: 5 } as const]) {
      await started.versions.rebuild(PLACE, { ...SMALLER, chunker });
      await started.versions.settled(PLACE);
    }
    done = true;
    await reading;
    expect(await stateOf(started)).toMatchObject({ version: 3, previous: 2 });
    expect(seen.size).toBeGreaterThanOrEqual(2);
    // The first one made room: two swaps ago.
    expect(await stage.index.count(indexRefOf(await collectionOf(started), 1))).toBe(0);
  });

  test('what changes, comes and goes meanwhile is in the new index as in the old one', async () => {
    const model = holdingAt('traveller7');
    const started = stage.startIngest(model);
    await started.send(many(20));
    model.hold();
    await started.versions.rebuild(PLACE, SMALLER);
    await model.isReached;
    await started.send([document('d3', 'The bridge of traveller3.')]);
    await started.ingest.remove(PLACE, ['d5', 'd7']);
    model.release();
    await started.send([document('late', 'The bridge is late.')]);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toEqual({ version: 2, documents: 19, shadow: undefined, previous: 1 });
    expect(await stage.find('bridge')).toEqual(['d3: The bridge of traveller3.', 'late: The bridge is late.']);
    expect(await stage.find('traveller7')).toEqual([]);
    expect(await stage.find('traveller5')).toEqual([]);
  });

  test('given up, leaves nothing', async () => {
    const model = holdingAt('traveller7');
    const started = stage.startIngest(model);
    await started.send(many(20));
    model.hold();
    await started.versions.rebuild(PLACE, SMALLER);
    await model.isReached;
    const cancelling = started.versions.cancel(PLACE);
    model.release();
    await cancelling;
    expect(await stateOf(started)).toEqual({ version: 1, documents: 20, shadow: undefined, previous: undefined });
    expect(await stage.index.count(indexRefOf(await collectionOf(started), 2))).toBe(0);
    expect(await stage.database.all('SELECT version FROM index_documents WHERE version <> 1')).toEqual([]);
    await expect(started.versions.cancel(PLACE)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('goes on after a stop where it was, and indexes nothing twice', async () => {
    const model = holdingAt('traveller555');
    const first = stage.startIngest(model);
    await first.send(many(1_200));
    model.hold();
    await first.versions.rebuild(PLACE, SMALLER);
    await model.isReached;
    const stopping = first.versions.stop();
    model.release();
    await stopping;
    const { shadow } = await first.versions.status(await collectionOf(first));
    expect(shadow?.state).toBe('building');
    const done = shadow?.holds.documents ?? 0;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(1_200);

    let embedded = 0;
    const second = stage.startIngest({ beforeEmbed: (texts) => void (embedded += texts.length) });
    await second.versions.resume(never);
    expect(await stateOf(second)).toEqual({ version: 2, documents: 1_200, shadow: undefined, previous: 1 });
    expect(embedded).toBe(1_200 - done);
  });
});

describe('a swap', () => {
  test('is refused by whoever judges it, waits, and is forced', async () => {
    const judged: unknown[] = [];
    const started = stage.startIngest({
      beforeSwap: (_, versions) => {
        judged.push(versions);
        return Promise.resolve({ refuse: 'hit@1 falls by 0.2' });
      },
    });
    await started.send(many(5));
    await started.versions.rebuild(PLACE, SMALLER);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toMatchObject({ version: 1, shadow: 'waiting' });
    await expect(started.versions.swap(PLACE, 'as judged')).rejects.toMatchObject({ code: 'conflict' });
    await started.send([document('late', 'The bridge is late.')]);
    await started.versions.swap(PLACE, 'whatever is said against it');
    expect(await stateOf(started)).toEqual({ version: 2, documents: 6, shadow: undefined, previous: 1 });
    expect(await stage.find('bridge')).toEqual(['late: The bridge is late.']);
    expect(judged).toEqual(Array.from({ length: 2 }, () => ({ liveVersion: 1, shadowVersion: 2 })));
  });

  test('waits where a document cannot be indexed', async () => {
    let refuses = false;
    const started = stage.startIngest({
      beforeEmbed: (texts) => {
        if (refuses && texts.some((text) => text.includes('traveller3'))) throw new SekishoError('content_refused');
      },
    });
    await started.send(many(10));
    refuses = true;
    await started.versions.rebuild(PLACE, SMALLER);
    await started.versions.settled(PLACE);
    const { shadow } = await started.versions.status(await collectionOf(started));
    expect(shadow).toMatchObject({ state: 'waiting', failure: expect.stringContaining('d3') });
    expect(shadow?.holds.documents).toBe(9);
    refuses = false;
    await started.versions.swap(PLACE, 'as judged');
    expect(await stateOf(started)).toMatchObject({ version: 2, documents: 10 });
  });

  test('takes along the answers that were kept of the index before', async () => {
    const told: unknown[] = [];
    const started = stage.startIngest({ onDocumentsChanged: async (...change) => void told.push(change[2]) });
    await started.send(many(3));
    told.length = 0;
    await started.versions.rebuild(PLACE, SMALLER);
    await started.versions.settled(PLACE);
    expect(told).toEqual(['all']);
  });

  test('does not come to pass where the model is away; a later try goes on', async () => {
    let away = false;
    const started = stage.startIngest({
      beforeEmbed: () => {
        if (away) throw new SekishoError('upstream_unreachable', { values: { target: 'toy' } });
      },
    });
    await started.send(many(3));
    away = true;
    await started.versions.rebuild(PLACE, SMALLER);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toMatchObject({ version: 1, shadow: 'failed' });
    away = false;
    await started.versions.rebuild(PLACE, SMALLER);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toMatchObject({ version: 2, documents: 3, shadow: undefined });
  });
});

describe('a rollback', () => {
  test('brings the old index up to date and makes it live; what was live can be gone back to', async () => {
    const started = stage.startIngest();
    await started.send(many(10));
    await expect(started.versions.rollback(PLACE)).rejects.toMatchObject({ code: 'conflict' });
    await started.versions.rebuild(PLACE, SMALLER);
    await started.versions.settled(PLACE);
    await started.send([document('d3', 'The bridge of traveller3.'), document('new', 'The bridge is new.')]);
    await started.ingest.remove(PLACE, ['d5']);
    await started.versions.rollback(PLACE);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toEqual({ version: 1, documents: 10, shadow: undefined, previous: 2 });
    expect((await collectionOf(started)).settings.index.chunker).toMatchObject({ targetTokens: 300 });
    expect(await stage.find('bridge')).toEqual(['d3: The bridge of traveller3.', 'new: The bridge is new.']);
    expect(await stage.find('traveller5')).toEqual([]);
    await started.versions.rollback(PLACE);
    await started.versions.settled(PLACE);
    expect(await stateOf(started)).toMatchObject({ version: 2, documents: 10, previous: 1 });
  });
});

describe('an index that an earlier version of the software made', () => {
  test('is made anew by a start', async () => {
    await stage.startIngest().send(many(4));
    const later = stage.startIngest({ fingerprint: 'toy@2', upgrades: 'upgrades' });
    await later.versions.resume(never);
    expect(await stateOf(later)).toEqual({ version: 2, documents: 4, shadow: undefined, previous: 1 });
    expect((await collectionOf(later)).fingerprint).toStartWith('toy@2');
    // Rows made by another model are not mixed into the old index.
    await expect(later.versions.rollback(PLACE)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('is made anew before the next document comes in', async () => {
    await stage.startIngest().send(many(4));
    const later = stage.startIngest({ fingerprint: 'toy@2', upgrades: 'upgrades' });
    expect(await later.send([document('new', 'The bridge is new.')])).toMatchObject({ indexed: 1 });
    expect(await stateOf(later)).toMatchObject({ version: 2, documents: 5 });
    expect(await stage.find('bridge')).toEqual(['new: The bridge is new.']);
  });

  test('whose new index waits takes no documents, and says so', async () => {
    await stage.startIngest().send(many(4));
    const later = stage.startIngest({
      fingerprint: 'toy@2',
      upgrades: 'upgrades',
      beforeSwap: () => Promise.resolve({ refuse: 'worse' }),
    });
    await expect(later.send([document('new', 'The bridge is new.')])).rejects.toMatchObject({
      code: 'fingerprint_mismatch',
    });
  });
});
