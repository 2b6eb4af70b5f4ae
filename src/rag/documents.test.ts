import { afterEach, beforeEach, expect, test } from 'bun:test';
import { systemClock } from '../lib/clock.ts';
import { migrate } from '../migrate.ts';
import type { Database } from '../ports/database.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import { createSqliteDatabase } from '../stores/sqlite/sqlite-database.ts';
import { createCollections } from './collections.ts';
import { chunkIdOf, createDocuments, type Documents, type PendingDocument, type Place } from './documents.ts';
import { ragMigrations } from './schema.ts';

const PLACE: Place = { tenantId: DEFAULT_TENANT, collection: 'gate' };
const version = (id: string, hash: string): PendingDocument => ({
  id,
  title: hash,
  text: `Text of ${hash}.`,
  metadata: { hash },
  headings: [{ level: 1, start: 0, text: 'Text' }],
  access: null,
  hash,
});
const span = (id: string, hash: string) => ({
  documentId: id,
  chunkId: chunkIdOf(id, hash, 0),
  start: 8,
  end: 8 + hash.length,
});
const ALL = { after: '', documents: 100, characters: 1_000_000 };

let database: Database;
let documents: Documents;
beforeEach(async () => {
  database = createSqliteDatabase({ path: ':memory:' });
  await migrate(database, ragMigrations);
  documents = createDocuments({ database, clock: systemClock });
  const collections = createCollections({ database, clock: systemClock });
  for (const name of [PLACE.collection, 'other']) {
    await collections.ensure({ tenantId: PLACE.tenantId, name, embeddingRoute: 'toy', fingerprint: 'toy@1' });
  }
});
afterEach(() => database.close());

test('only the version that is pending can be published or fail', async () => {
  await documents.accept(PLACE, [version('a', 'one')]);
  await documents.accept(PLACE, [version('a', 'two')]);
  await documents.publish(PLACE, [{ id: 'a', hash: 'one', chunks: 1 }]);
  await documents.fail(PLACE, [{ id: 'a', hash: 'one', reason: 'no' }]);
  expect(await documents.get(PLACE, 'a')).toMatchObject({ state: 'pending', failure: null, chunks: 0 });
  await documents.publish(PLACE, [{ id: 'a', hash: 'two', chunks: 3 }]);
  expect(await documents.get(PLACE, 'a')).toMatchObject({ state: 'ready', title: 'two', chunks: 3 });
});

test('what is being deleted is not published and shows nothing', async () => {
  await documents.accept(PLACE, [version('a', 'one')]);
  expect(await documents.markDeleting(PLACE, ['a', 'unknown'])).toBe(1);
  await documents.publish(PLACE, [{ id: 'a', hash: 'one', chunks: 1 }]);
  expect(await documents.get(PLACE, 'a')).toBeUndefined();
  expect(await documents.list(PLACE, { after: '', limit: 10 })).toEqual([]);
  expect(await documents.hydrate(PLACE.tenantId, PLACE.collection, [span('a', 'one')])).toEqual([undefined]);
});

test('a hit is shown from the version that its chunk was made from, or not at all', async () => {
  await documents.accept(PLACE, [version('a', 'one')]);
  await documents.publish(PLACE, [{ id: 'a', hash: 'one', chunks: 1 }]);
  await documents.accept(PLACE, [version('a', 'second')]);
  const shown = async () =>
    documents.hydrate(PLACE.tenantId, PLACE.collection, [span('a', 'one'), span('a', 'second'), span('a', 'third')]);
  expect((await shown()).map((each) => each?.content)).toEqual(['one', 'second', undefined]);
  await documents.publish(PLACE, [{ id: 'a', hash: 'second', chunks: 1 }]);
  // A reader who searched before the new version was in the index asks now.
  expect((await shown()).map((each) => each?.content)).toEqual(['one', 'second', undefined]);
  expect(await documents.forgetSuperseded(systemClock.nowMs() + 1)).toBe(1);
  expect((await shown()).map((each) => each?.content)).toEqual([undefined, 'second', undefined]);
});

test('a version that was replaced is gone with its document', async () => {
  await documents.accept(PLACE, [version('a', 'one')]);
  await documents.publish(PLACE, [{ id: 'a', hash: 'one', chunks: 1 }]);
  await documents.accept(PLACE, [version('a', 'second')]);
  await documents.publish(PLACE, [{ id: 'a', hash: 'second', chunks: 1 }]);
  await documents.markDeleting(PLACE, ['a']);
  expect(await documents.hydrate(PLACE.tenantId, PLACE.collection, [span('a', 'one')])).toEqual([undefined]);
  await documents.remove(PLACE, ['a']);
  expect(await documents.forgetSuperseded(systemClock.nowMs() + 1)).toBe(0);
});

test('pending versions come page by page, bounded by their text, each once', async () => {
  const sent = ['a', 'b', 'c', 'd', 'e'].map((id) => version(id, `hash-${id}`));
  await documents.accept(PLACE, sent);
  expect(await documents.pending(PLACE, ALL)).toEqual(sent);
  const seen: string[] = [];
  for (let after = ''; ;) {
    const page = await documents.pending(PLACE, { after, documents: 3, characters: 30 });
    if (page.length === 0) break;
    expect(page.length).toBeLessThanOrEqual(2);
    seen.push(...page.map(({ id }) => id));
    after = page.at(-1)?.id ?? '';
  }
  expect(seen).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(await documents.pending(PLACE, { ...ALL, characters: 1 })).toHaveLength(1);
});

test('tenants and collections do not see each other', async () => {
  await documents.accept(PLACE, [version('a', 'one')]);
  for (const other of [
    { ...PLACE, collection: 'other' },
    { ...PLACE, tenantId: 'ten_other' as const },
  ]) {
    expect(await documents.get(other, 'a')).toBeUndefined();
    expect(await documents.pending(other, ALL)).toEqual([]);
  }
});
