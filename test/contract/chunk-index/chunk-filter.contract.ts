import { describe, expect, test } from 'bun:test';
import type { ChunkIndex, ChunkRow, IndexFilter, IndexHit, IndexRef } from '../../../src/ports/chunk-index.ts';
import { axis, chunk, DIMENSIONS } from './sample-chunks.ts';

/** What a contract of chunk indexes lends to a part of it. */
export interface ChunkIndexStage {
  index: () => ChunkIndex;
  newRef: () => IndexRef;
  lexical: (ref: IndexRef, words: string, limit?: number, tags?: string[][]) => Promise<string[]>;
}

/** Which chunks a search may find: trees of conditions, ranges, tags that change. */
export function chunkFilterContract({ index, newRef, lexical }: ChunkIndexStage): void {
  describe('filters', () => {
    test('groups are joined by and, tags within a group by or, on both legs, indexed or not', async () => {
      const ref = newRef();
      const rows = Array.from({ length: 60 }, (_, i) => ({
        ...chunk(`d${i}`, 0, 'word', i % DIMENSIONS),
        tags: i % 10 === 9 ? [] : [`lang=${i % 2 === 0 ? 'ja' : 'en'}`, `n=${i % 5}`],
      }));
      await index().replace(
        ref,
        rows.map((row) => row.documentId),
        rows,
        true,
      );
      const both = [['lang=ja'], ['n=2', 'n=4']];
      const expected = rows
        .filter((row) => row.tags.includes('lang=ja') && (row.tags.includes('n=2') || row.tags.includes('n=4')))
        .map((row) => row.chunkId)
        .sort();
      for (const stage of ['fresh', 'optimised']) {
        expect((await lexical(ref, 'word', 100, both)).sort(), stage).toEqual(expected);
        const dense = await index().searchDense(ref, axis(1), {
          limit: 100,
          where: { and: both.map((anyTag) => ({ anyTag })) },
        });
        expect(dense.map((hit) => hit.chunkId).sort(), stage).toEqual(expected);
        expect(await lexical(ref, 'word', 100, [['lang=ja'], []]), stage).toEqual([]);
        expect(await lexical(ref, 'word', 100, [['lang=fr']]), stage).toEqual([]);
        expect(await lexical(ref, 'word', 100, []), stage).toHaveLength(60);
        await index().optimise(ref);
      }
    });

    test('values are data, whatever they look like', async () => {
      const ref = newRef();
      const hostile = [
        "k=' OR 1=1 --",
        "k=') OR (true",
        "k='']) OR array_has_any(tags, ['k=x",
        'k="double"',
        'k=back\\slash\\',
        "k=back\\' OR 1=1 --",
        'k=line\nbreak\ttab',
        'k=日本語「引用」',
        'k=%_*?',
        'k=${x}{y}$1',
        'k=/* c */;DROP TABLE x;',
        'k=',
        'k=\u{1F600}',
      ];
      const rows = hostile.map((tag, i) => ({ ...chunk(`d${i}`, 0, 'word'), tags: [tag] }));
      await index().replace(
        ref,
        rows.map((row) => row.documentId),
        rows,
        true,
      );
      for (let pass = 0; pass < 2; pass++) {
        for (const [i, tag] of hostile.entries()) {
          expect(await lexical(ref, 'word', 100, [[tag]]), tag).toEqual([`d${i}#0`]);
        }
        await index().optimise(ref);
      }
      expect(await lexical(ref, 'word', 100, [["x'] ) OR 1=1 --"]])).toEqual([]);
    });

    test('trees of conditions hold on both legs, indexed or not', async () => {
      const ref = newRef();
      const rows = Array.from({ length: 40 }, (_, i) => ({
        ...chunk(`d${i}`, 0, 'word', i),
        tags: i % 8 === 7 ? [] : [`n=${i % 5}`, `path=/a/${i % 3}/x`, ...(i % 2 === 0 ? ['even'] : [])],
      }));
      const ids = rows.map((row) => row.documentId);
      const some = (where: (row: ChunkRow, i: number) => boolean): string[] =>
        rows.flatMap((row, i) => (where(row, i) ? row.chunkId : [])).sort();
      const has = (row: ChunkRow, tag: string): boolean => row.tags.includes(tag);
      const cases: [IndexFilter, string[]][] = [
        [{ not: { anyTag: ['even'] } }, some((row) => !has(row, 'even'))],
        [{ not: { anyTag: [] } }, some(() => true)],
        [{ and: [] }, some(() => true)],
        [{ or: [] }, []],
        [{ not: { and: [] } }, []],
        [{ documentIds: ['d1', 'd2', 'nowhere'] }, ['d1#0', 'd2#0']],
        [{ documentIds: [] }, []],
        [{ not: { documentIds: ids.slice(3) } }, ['d0#0', 'd1#0', 'd2#0']],
        [
          { or: [{ and: [{ anyTag: ['even'] }, { not: { anyTag: ['n=0', 'n=2'] } }] }, { documentIds: ['d3'] }] },
          some((row, i) => (has(row, 'even') && !has(row, 'n=0') && !has(row, 'n=2')) || i === 3),
        ],
        [{ tagRange: { prefix: 'path=/a/1' } }, some((row) => has(row, 'path=/a/1/x'))],
        [{ tagRange: { prefix: 'ath=' } }, []],
        [{ tagRange: { prefix: 'n=', gte: '1', lt: '4' } }, some((_, i) => i % 8 !== 7 && [1, 2, 3].includes(i % 5))],
        [{ tagRange: { prefix: 'n=', gt: '3' } }, some((row) => has(row, 'n=4'))],
        [{ tagRange: { prefix: 'n=', gt: '3', lt: '3' } }, []],
        [{ not: { tagRange: { prefix: 'n=', lte: '3' } } }, some((row) => row.tags.length === 0 || has(row, 'n=4'))],
        [
          { and: [{ tagRange: { prefix: 'path=', gte: '/a/2' } }, { anyTag: ['even'] }] },
          some((row) => has(row, 'path=/a/2/x') && has(row, 'even')),
        ],
      ];
      await index().replace(ref, ids, rows, true);
      for (const stage of ['fresh', 'optimised']) {
        for (const [where, expected] of cases) {
          const lexicalHits = await index().searchLexical(ref, ['word'], { limit: 100, where });
          const told = `${stage} ${JSON.stringify(where)}`;
          expect(lexicalHits.map((hit) => hit.chunkId).sort(), told).toEqual(expected);
          const dense = await index().searchDense(ref, axis(1), { limit: 100, where });
          expect(dense.map((hit) => hit.chunkId).sort(), told).toEqual(expected);
        }
        await index().optimise(ref);
      }
    });

    test('new tags take the place of the old ones and change nothing else', async () => {
      const ref = newRef();
      const rows = Array.from({ length: 12 }, (_, i) => ({
        ...chunk(`d${i % 4}`, Math.floor(i / 4), `word w${i}`, i),
        tags: ['old', `d=${i % 4}`],
        passage: { start: 0, end: 99 },
      }));
      await index().replace(ref, ['d0', 'd1', 'd2', 'd3'], rows, true);
      for (const stage of ['fresh', 'optimised']) {
        const before = await index().searchLexical(ref, ['word'], { limit: 50 });
        const tags = new Map([
          ['d1', [`new ${stage}`, "it's"]],
          ['d2', []],
          ['nowhere', ['new']],
        ]);
        await index().retag(ref, tags);
        await index().retag(ref, tags);
        expect(await index().count(ref)).toBe(12);
        expect((await lexical(ref, 'word', 50, [[`new ${stage}`], ["it's"]])).sort()).toEqual(['d1#0', 'd1#1', 'd1#2']);
        expect(await lexical(ref, 'word', 50, [['old'], ['d=1', 'd=2']])).toEqual([]);
        expect(await lexical(ref, 'word', 50, [['old']])).toHaveLength(6);
        expect(await lexical(ref, 'w5')).toEqual(['d1#1']);
        expect((await index().searchDense(ref, axis(5), { limit: 1 }))[0]).toMatchObject({ chunkId: 'd1#1' });
        const after = await index().searchLexical(ref, ['word'], { limit: 50 });
        const told = (hits: readonly IndexHit[]): string[] =>
          hits.map((hit) => JSON.stringify([hit.chunkId, hit.passage])).sort();
        expect(told(after)).toEqual(told(before));
        await index().optimise(ref);
      }
      await index().retag(newRef(), new Map([['d', ['x']]]));
    });

    test('document ids are data too', async () => {
      const ref = newRef();
      const ids = ["a' OR '1'='1", "b'); --", 'c\\', 'd"x"', '文書/../e', ' '];
      await index().replace(
        ref,
        ids,
        ids.map((id) => chunk(id, 0, 'word')),
        true,
      );
      await index().replace(ref, ["a' OR '1'='1"], [], false);
      await index().replace(ref, ["' OR 1=1 --"], [], false);
      await index().replace(ref, ['c\\'], [chunk('c\\', 0, 'changed')], false);
      expect(await index().documentIds(ref)).toEqual(new Set(ids.slice(1)));
      expect(await lexical(ref, 'changed')).toEqual(['c\\#0']);
    });
  });
}
