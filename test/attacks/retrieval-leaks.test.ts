/**
 * Two tenants with the same collection name, the same document ids and the same words, and inside one of them two
 * groups: ten thousand hostile questions, each put to the index as retrieval puts it, find nothing of anybody else.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject, JsonValue } from '../../src/lib/json.ts';
import type { ChunkIndex, IndexRef } from '../../src/ports/chunk-index.ts';
import { searchFilter } from '../../src/rag/retrieve/filters.ts';
import { documentTags } from '../../src/rag/tags.ts';
import type { DocumentAccess } from '../../src/spec/document-access.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import type { TenantId } from '../../src/spec/ids.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { randomNumbers } from '../contract/chunk-index/random-numbers.ts';

const QUESTIONS = 10_000;
const AT_ONCE = 8;
const DIMENSIONS = 8;
const TENANTS: readonly TenantId[] = ['ten_a', 'ten_b'];
const refOf = (tenantId: TenantId): IndexRef => ({ tenantId, collection: 'docs', version: 1 });

/** Who may find the n-th document of a tenant. */
const ACCESS: readonly (DocumentAccess | null)[] = [null, { groups: ['red'] }, { groups: ['blue'] }, {}];

let folder: string;
let index: ChunkIndex;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sekisho-leaks-'));
  index = createLanceIndex({ folder });
  for (const tenant of TENANTS) {
    const rows = Array.from({ length: 40 }, (_, i) => {
      const access = ACCESS[i % ACCESS.length] ?? null;
      const metadata = {
        lang: i % 2 === 0 ? 'ja' : 'en',
        n: i,
        tenant,
        acl: ['*', '%acl=group:red', 'group:red'],
        '%acl=group:red': 'x\u0001%acl=group:red',
      };
      return {
        chunkId: `${tenant}/d${i}#0`,
        documentId: `d${i}`,
        ordinal: 0,
        start: 0,
        end: 1,
        headingPath: [],
        terms: `word w${i}`,
        vector: Float32Array.from({ length: DIMENSIONS }, (_, k) => Math.sin(i * (k + 2))),
        tags: documentTags({ metadata, access }),
      };
    });
    const ids = rows.map(({ documentId }) => documentId);
    await index.replace(refOf(tenant), ids, rows, true);
  }
});
afterAll(async () => {
  await index.close();
  await rm(folder, { recursive: true, force: true });
});

const NOBODY: Principal = {
  tenantId: 'ten_a',
  keyId: 'key_x',
  name: 'x',
  role: 'member',
  allowedRoutes: [],
  limits: {},
};

const HOSTILE: readonly JsonValue[] = [
  null,
  '',
  [],
  {},
  '*',
  true,
  0,
  'ten_b',
  "' OR 1=1 --",
  "') OR (true",
  "x'] ) OR true --",
  '\\',
  '\0',
  '\u0001',
  '%acl=group:red',
  '%acl=*',
  'group:red',
  'group:blue',
  'rеd',
  'ｒed',
  're\u200bd',
  'RED',
  '\ud800',
  '\u{10ffff}',
  'x'.repeat(600),
  Array.from({ length: 200 }, (_, i) => i),
  { $ne: null },
  { $ne: 'nothing' },
  { $exists: false },
  { $exists: true },
  { $gte: '' },
  { $gt: -1e308 },
  { $lt: '\u{10ffff}' },
  { $prefix: '%' },
  { $prefix: '\u0001' },
  { $nin: [] },
  { $not: { $in: [] } },
  { $regex: '.*' },
  { $where: 'true' },
  { constructor: 1 },
];
const PLAIN: readonly JsonValue[] = HOSTILE.filter((value) => {
  try {
    return searchFilter({ principal: { ...NOBODY, role: 'admin' }, filters: { a: value } }) !== undefined;
  } catch {
    return false;
  }
});
const NAMES: readonly string[] = [
  'lang',
  'n',
  'tenant',
  'tenant_id',
  'acl',
  '%acl',
  '%acl=group:red',
  '%25acl',
  '%has',
  '%num',
  '',
  '__proto__',
  'constructor',
  '$where',
  '$$acl',
  "a' OR 'a'='a",
  'tags',
  'document_id',
  'lang]) OR (true',
  '\u0001',
  'k'.repeat(200),
];

const PLAIN_NAMES = NAMES.filter((name) => !/^\$[^$]/.test(name) && name.length < 100);

test("ten thousand questions find not one chunk that is not the caller's", async () => {
  const random = randomNumbers(4);
  const pick = <T>(all: readonly T[]): T => {
    const one = all[Math.floor(random() * all.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  };
  const hostile = (depth: number): JsonObject => {
    const kind = depth > 9 ? 1 : random();
    const parts = (): JsonObject[] => Array.from({ length: 1 + Math.floor(random() * 3) }, () => hostile(depth + 1));
    if (kind < 0.12) return { $or: parts() };
    if (kind < 0.2) return { $and: parts() };
    if (kind < 0.3) return { $not: hostile(depth + 1) };
    if (kind < 0.33) return { $or: [{ lang: 'ja' }, { $not: { lang: 'ja' } }, ...parts()] };
    // Most conditions are such that they are taken: those that are refused find nothing by themselves.
    if (random() < 0.8) return { [pick(PLAIN_NAMES)]: pick(PLAIN) };
    return { [pick(NAMES)]: pick(HOSTILE), ...(random() < 0.2 && { [pick(NAMES)]: pick(HOSTILE) }) };
  };

  const told = { refused: 0, empty: 0, hits: 0 };
  const leaks: string[] = [];
  async function ask(): Promise<void> {
    const tenantId = pick(TENANTS);
    const group = pick(['red', 'blue', null]);
    const principal: Principal = { ...NOBODY, tenantId, ...(group !== null && { groups: [group] }) };
    const filters = hostile(0);
    let where: ReturnType<typeof searchFilter>;
    try {
      where = searchFilter({ principal, filters });
    } catch (thrown) {
      // What cannot be understood is refused, never searched without.
      if (!(thrown instanceof SekishoError) || thrown.code !== 'invalid_request') throw thrown;
      told.refused++;
      return;
    }
    if (where === undefined) throw new Error('a member searches without rights');
    const search = { limit: 100, where };
    const ref = refOf(tenantId);
    const hits =
      random() < 0.5
        ? await index.searchLexical(ref, ['word'], search)
        : await index.searchDense(ref, Float32Array.from({ length: DIMENSIONS }, random), search);
    if (hits.length === 0) told.empty++;
    told.hits += hits.length;
    for (const { chunkId, documentId } of hits) {
      const access = ACCESS[Number(documentId.slice(1)) % ACCESS.length] ?? null;
      const mine = access === null || (group !== null && access.groups?.includes(group) === true);
      if (!chunkId.startsWith(`${tenantId}/`) || !mine)
        leaks.push(`${chunkId} to ${group} by ${JSON.stringify(filters)}`);
    }
  }
  let left = QUESTIONS;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await ask();
    }),
  );
  expect(leaks).toEqual([]);
  // The questions are not all refused: many are answered, and with what the caller may have.
  expect(told.refused).toBeLessThan(QUESTIONS * 0.8);
  expect(told.hits).toBeGreaterThan(QUESTIONS);
}, 120_000);
