/**
 * What filters find in the real index is what a look at every document finds; nothing is lost to ranking, to few
 * matches among many rows, or to rows that are not indexed yet.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../../src/lib/json.ts';
import type { ChunkIndex, ChunkRow, IndexRef } from '../../src/ports/chunk-index.ts';
import { maySee } from '../../src/rag/access.ts';
import { matchesFilter } from '../../src/rag/filter/matches-filter.ts';
import { searchFilter } from '../../src/rag/retrieve/filters.ts';
import { documentTags } from '../../src/rag/tags.ts';
import type { DocumentAccess } from '../../src/spec/document-access.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';

const DIMENSIONS = 8;

let folder: string;
let index: ChunkIndex;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sekisho-filters-'));
  index = createLanceIndex({ folder });
});
afterAll(async () => {
  await index.close();
  await rm(folder, { recursive: true, force: true });
});

interface Stored {
  id: string;
  metadata: JsonObject;
  access: DocumentAccess | null;
}

function rowOf({ id, metadata, access }: Stored, at: number): ChunkRow {
  const vector = Float32Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(at * (i + 1)) + 0.01);
  const tags = documentTags({ metadata, access });
  return {
    chunkId: `${id}#0`,
    documentId: id,
    ordinal: 0,
    start: 0,
    end: 1,
    headingPath: [],
    terms: 'word',
    vector,
    tags,
  };
}

async function put(ref: IndexRef, documents: readonly Stored[]): Promise<void> {
  const rows = documents.map(rowOf);
  const ids = rows.map(({ documentId }) => documentId);
  await index.replace(ref, ids, rows, true);
}

/** Documents that both legs find, which must be the same. */
async function found(ref: IndexRef, principal: Principal, filters: JsonObject): Promise<string[]> {
  const where = searchFilter({ principal, filters });
  const search = { limit: 1_000, ...(where !== undefined && { where }) };
  const [lexical, dense] = await Promise.all([
    index.searchLexical(ref, ['word'], search),
    index.searchDense(
      ref,
      Float32Array.from({ length: DIMENSIONS }, () => 1),
      search,
    ),
  ]);
  const ids = lexical.map(({ documentId }) => documentId).sort();
  expect(dense.map(({ documentId }) => documentId).sort()).toEqual(ids);
  return ids;
}

const caller = (rights: Partial<Principal> = {}): Principal => ({
  tenantId: 'ten_a',
  keyId: 'key_a',
  name: 'a',
  role: 'member',
  allowedRoutes: [],
  limits: {},
  ...rights,
});

// What a filter means, said a second time and without tags: straight over the metadata.

function elements(metadata: JsonObject, field: string): JsonValue[] {
  const value = metadata[field];
  return (Array.isArray(value) ? value : [value]).flatMap((each) =>
    each === undefined || each === null ? [] : [each],
  );
}

const isScalar = (value: JsonValue): value is string | number | boolean => typeof value !== 'object';
const text = (value: string | number | boolean): string => String(value).normalize('NFC');
const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function holds(metadata: JsonObject, filter: JsonObject): boolean {
  return Object.entries(filter).every(([name, value]) => {
    if (name === '$and') return listOf(value).every((each) => holds(metadata, each));
    if (name === '$or') return listOf(value).some((each) => holds(metadata, each));
    if (name === '$not') return !holds(metadata, objectOf(value));
    return fieldHolds(elements(metadata, name), value);
  });
}

function fieldHolds(values: readonly JsonValue[], wanted: JsonValue | undefined): boolean {
  if (Array.isArray(wanted)) return wanted.some((each) => fieldHolds(values, each));
  if (typeof wanted !== 'object' || wanted === null) {
    return values.some((value) => isScalar(value) && text(value) === text(wanted ?? ''));
  }
  const { $gt, $gte, $lt, $lte, ...rest } = wanted;
  const bounds = [$gt, $gte, $lt, $lte];
  const within = (value: JsonValue): boolean => {
    if (!isScalar(value)) return false;
    const numeric = bounds.some((bound) => typeof bound === 'number');
    const plain = typeof value === 'number' || (typeof value === 'string' && /^[+-]?\d+(\.\d+)?$/.test(value));
    if (numeric && !plain) return false;
    const compare = (bound: JsonValue): number =>
      numeric ? Number(value) - Number(bound) : order(text(value), text(isScalar(bound) ? bound : ''));
    return (
      ($gt === undefined || compare($gt) > 0) &&
      ($gte === undefined || compare($gte) >= 0) &&
      ($lt === undefined || compare($lt) < 0) &&
      ($lte === undefined || compare($lte) <= 0)
    );
  };
  if (bounds.some((bound) => bound !== undefined) && !values.some(within)) return false;
  return Object.entries(rest).every(([operator, value]) => {
    switch (operator) {
      case '$eq':
      case '$in':
        return fieldHolds(values, value);
      case '$ne':
      case '$nin':
      case '$not':
        return !fieldHolds(values, value);
      case '$exists':
        return values.length > 0 === value;
      default:
        return values.some((each) => isScalar(each) && text(each).startsWith(String(value).normalize('NFC')));
    }
  });
}

function listOf(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

const field = fc.constantFrom('a', 'b', 'year', 'a=b', '%num', 'ガ');
const word = fc.constantFrom(
  '',
  'x',
  'xy',
  'x y',
  "it's",
  '2020',
  '2020-05-01',
  '-3',
  '1.5',
  'カ\u3099',
  'ガ',
  '😀',
  '\uffff',
  '%',
  'true',
);
const number = fc.constantFrom(0, -0, 1, -1, 1.5, -3, 2020, 2024, 1e21, 5e-324, -1e300);
const scalar = fc.oneof(word, number, fc.boolean());
const metadataOf: fc.Arbitrary<JsonObject> = fc.dictionary(
  field,
  fc.oneof(
    scalar,
    fc.array(fc.oneof(scalar, fc.constant(null)), { maxLength: 3 }),
    fc.constant({ x: 1 }),
    fc.constant(null),
  ),
  { maxKeys: 4 },
);
const boundsOf = <T extends JsonValue>(bound: fc.Arbitrary<T>): fc.Arbitrary<JsonObject> =>
  fc
    .tuple(fc.constantFrom('$gt', '$gte'), bound, fc.constantFrom('$lt', '$lte'), bound, fc.integer({ min: 0, max: 2 }))
    .map(([low, from, high, to, which]) => ({
      ...(which !== 1 && { [low]: from }),
      ...(which !== 0 && { [high]: to }),
    }));
const condition: fc.Arbitrary<JsonValue> = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  boundsOf(number),
  boundsOf(word),
  fc.boolean().map((value) => ({ $exists: value })),
  word.filter((value) => value !== '').map((value) => ({ $prefix: value })),
  scalar.map((value) => ({ $ne: value })),
  fc.array(scalar, { maxLength: 3 }).map((values) => ({ $nin: values })),
  scalar.map((value) => ({ $not: { $eq: value } })),
);
const filterOf: fc.Arbitrary<JsonObject> = fc.letrec<{ filter: JsonObject }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.dictionary(field, condition, { minKeys: 1, maxKeys: 2 }),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((filters) => ({ $and: filters })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((filters) => ({ $or: filters })),
    tie('filter').map((filter) => ({ $not: filter })),
  ),
})).filter;
const group = fc.constantFrom('hr', 'sales', 'ops');
const accessOf: fc.Arbitrary<DocumentAccess | null> = fc.oneof(
  fc.constant(null),
  fc.record({ groups: fc.array(group) }, { requiredKeys: [] }),
  fc.record({ attributes: fc.dictionary(group, fc.array(group)), roles: fc.array(fc.constantFrom('member', 'admin')) }),
);

describe('any filter over any metadata', () => {
  test('finds what a look at every document finds, within the rights of the caller', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ metadata: metadataOf, access: accessOf }), { minLength: 8, maxLength: 24 }),
        fc.array(fc.record({ filter: filterOf, groups: fc.array(group), admin: fc.boolean() }), {
          minLength: 12,
          maxLength: 12,
        }),
        async (contents, questions) => {
          const ref: IndexRef = { tenantId: 'ten_a', collection: `p${run++}`, version: 1 };
          const documents = contents.map((content, i) => ({ id: `d${i}`, ...content }));
          await put(ref, documents);
          if (run % 2 === 0) await index.optimise(ref);
          for (const { filter, groups, admin } of questions) {
            const principal = caller({ groups, attributes: { hr: groups }, ...(admin && { role: 'admin' }) });
            const expected = documents
              .filter(({ metadata, access }) => holds(metadata, filter) && maySee(principal, access))
              .map(({ id }) => id)
              .sort();
            const told = JSON.stringify(filter);
            expect(await found(ref, principal, filter), told).toEqual(expected);
            const where = searchFilter({ principal, filters: filter }) ?? { and: [] };
            const inMemory = documents.filter((each) =>
              matchesFilter(where, { id: each.id, tags: documentTags(each) }),
            );
            expect(inMemory.map(({ id }) => id).sort(), told).toEqual(expected);
          }
          await index.drop(ref);
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);
});

describe('few documents among many', () => {
  const MANY = 20_000;
  const ref: IndexRef = { tenantId: 'ten_a', collection: 'many', version: 1 };
  const rare = new Set([17, 4_000, 9_999, 15_001, 19_998].map((i) => `d${i}`));

  beforeAll(async () => {
    for (let from = 0; from < MANY; from += 5_000) {
      const documents = Array.from({ length: 5_000 }, (_, i) => from + i).map((i): Stored => {
        const id = `d${i}`;
        const year = 1900 + (i % 120);
        const metadata = { n: i, year, path: `/docs/${i % 50}/${i}`, ...(rare.has(id) && { rare: true }) };
        return { id, metadata, access: rare.has(id) ? { groups: ['few'] } : i % 2 === 0 ? { groups: ['half'] } : null };
      });
      await put(ref, documents);
    }
    await index.optimise(ref);
  }, 120_000);

  test('all of them are found by either leg: by value, range, prefix and right', async () => {
    const admin = caller({ role: 'admin' });
    const expected = [...rare].sort();
    expect(await found(ref, admin, { rare: true })).toEqual(expected);
    expect(await found(ref, admin, { n: { $gte: 9_998, $lte: 10_000 } })).toEqual(['d10000', 'd9998', 'd9999']);
    const under = Array.from({ length: MANY }, (_, i) => i).filter((i) => i % 50 === 17 && String(i).startsWith('19'));
    expect(await found(ref, admin, { path: { $prefix: '/docs/17/19' } })).toEqual(under.map((i) => `d${i}`).sort());
    expect(await found(ref, caller({ groups: ['few'] }), { $not: { rare: { $ne: true } } })).toEqual(expected);
    expect(await found(ref, caller(), { rare: true })).toEqual([]);
    const { length } = await index.searchDense(
      ref,
      Float32Array.from({ length: DIMENSIONS }, () => -1),
      {
        limit: 1_000,
        where: searchFilter({ principal: caller(), filters: { year: { $gte: 1960 } } }) ?? { or: [] },
      },
    );
    expect(length).toBe(1_000);
  });
});
