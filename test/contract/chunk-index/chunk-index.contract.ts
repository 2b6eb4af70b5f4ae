import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { ChunkIndex, ChunkRow, IndexRef } from '../../../src/ports/chunk-index.ts';
import { chunkFilterContract } from './chunk-filter.contract.ts';
import { randomNumbers } from './random-numbers.ts';
import { axis, checkAgainstScan, chunk, codeOf, DIMENSIONS, unit } from './sample-chunks.ts';

/** One store under test. `open` opens the same data again, as a new process would. */
export interface ChunkIndexFixture {
  open(): ChunkIndex;
  remove(): Promise<void>;
}

/** What every chunk index must do. `make` gives an empty store of its own. */
export function chunkIndexContract(name: string, make: () => Promise<ChunkIndexFixture>): void {
  describe(`chunk index: ${name}`, () => {
    let fixture: ChunkIndexFixture;
    let index: ChunkIndex;
    let next = 0;
    const newRef = (): IndexRef => ({ tenantId: 'ten_test', collection: `c${next++}`, version: 1 });

    beforeAll(async () => {
      fixture = await make();
      index = fixture.open();
    });
    afterAll(async () => {
      await index.close();
      await fixture.remove();
    });

    async function lexical(ref: IndexRef, words: string, limit = 10, tags?: string[][]): Promise<string[]> {
      const search = tags === undefined ? { limit } : { limit, where: { and: tags.map((anyTag) => ({ anyTag })) } };
      return (await index.searchLexical(ref, words.split(' '), search)).map((hit) => hit.chunkId);
    }

    describe('a missing index', () => {
      test('is empty to every reader and deaf to deletion', async () => {
        const ref = newRef();
        expect(await lexical(ref, 'anything')).toEqual([]);
        expect(await index.searchDense(ref, axis(0), { limit: 5 })).toEqual([]);
        expect(await index.count(ref)).toBe(0);
        expect(await index.documentIds(ref)).toEqual(new Set());
        await index.replace(ref, ['d'], [], false);
        await index.optimise(ref);
        await index.drop(ref);
        expect(await index.count(ref)).toBe(0);
      });
    });

    describe('replace', () => {
      test('rows are found at once by both legs, with everything a hit says', async () => {
        const ref = newRef();
        const row: ChunkRow = {
          ...chunk('d', 3, 'alpha beta', 2),
          start: 40,
          end: 90,
          headingPath: ['章 "1"', "it's"],
        };
        await index.replace(ref, ['d', 'e'], [row, chunk('e', 0, 'gamma', 5)], true);
        const [hit] = await index.searchLexical(ref, ['beta'], { limit: 5 });
        const expected = { chunkId: 'd#3', documentId: 'd', start: 40, end: 90, headingPath: ['章 "1"', "it's"] };
        expect(hit).toMatchObject(expected);
        expect(hit?.score).toBeGreaterThan(0);
        const dense = await index.searchDense(ref, axis(2), { limit: 5 });
        expect(dense[0]).toMatchObject(expected);
        expect(dense[0]?.score).toBeCloseTo(1, 5);
        expect(dense[1]?.score).toBeCloseTo(0, 5);
      });

      test('a passage is handed on with the hit, whatever the headings look like; a row without one has none', async () => {
        const ref = newRef();
        const paths = [[], ['[1,2]', '3'], ['[]']];
        const rows = paths.flatMap((headingPath, i): ChunkRow[] => [
          { ...chunk(`with${i}`, 0, `word${i}`), headingPath, start: 5, end: 9, passage: { start: 0, end: 4_000 + i } },
          { ...chunk(`without${i}`, 0, `word${i}`), headingPath },
        ]);
        const ids = rows.map((row) => row.documentId);
        await index.replace(ref, ids, rows, true);
        for (const [i, headingPath] of paths.entries()) {
          for (const hits of [
            await index.searchLexical(ref, [`word${i}`], { limit: 5 }),
            await index.searchDense(ref, axis(0), { limit: 10 }),
          ]) {
            const found = new Map(hits.map((hit) => [hit.documentId, hit]));
            expect(found.get(`with${i}`)).toMatchObject({ headingPath, start: 5, end: 9 });
            expect(found.get(`with${i}`)?.passage).toEqual({ start: 0, end: 4_000 + i });
            expect(found.get(`without${i}`)).toMatchObject({ headingPath });
            expect(found.get(`without${i}`)?.passage).toBeUndefined();
          }
        }
      });

      test('vectors of any length count by their direction', async () => {
        const ref = newRef();
        const scaled = (row: ChunkRow, by: number): ChunkRow => ({
          ...row,
          vector: row.vector.map((value) => value * by),
        });
        const rows = [scaled(chunk('far', 0, 'x', 1), 50), scaled(chunk('near', 0, 'x', 0), 0.01)];
        await index.replace(ref, ['far', 'near'], rows, true);
        const hits = await index.searchDense(
          ref,
          axis(0).map((value) => value * 7),
          { limit: 2 },
        );
        expect(hits.map((hit) => hit.chunkId)).toEqual(['near#0', 'far#0']);
        expect(hits[0]?.score).toBeCloseTo(1, 5);
      });

      test('takes the place of every old chunk of the documents named and of no other', async () => {
        const ref = newRef();
        await index.replace(ref, ['a', 'b'], [chunk('a', 0, 'old'), chunk('a', 1, 'old'), chunk('b', 0, 'old')], true);
        await index.replace(ref, ['a'], [chunk('a', 0, 'new')], false);
        expect(await lexical(ref, 'old')).toEqual(['b#0']);
        expect(await lexical(ref, 'new')).toEqual(['a#0']);
        expect(await index.count(ref)).toBe(2);
        await index.replace(
          ref,
          ['a'],
          [0, 1, 2].map((i) => chunk('a', i, 'grown')),
          false,
        );
        expect(await index.count(ref)).toBe(4);
      });

      test('a new version may name its chunks anew', async () => {
        const ref = newRef();
        const version = (v: number, count: number): ChunkRow[] =>
          Array.from({ length: count }, (_, i) => ({ ...chunk('a', i, `word v${v}`), chunkId: `a@v${v}#${i}` }));
        await index.replace(ref, ['a', 'b'], [...version(1, 2), chunk('b', 0, 'word')], true);
        expect((await lexical(ref, 'word')).sort()).toEqual(['a@v1#0', 'a@v1#1', 'b#0']);
        await index.replace(ref, ['a'], version(2, 3), false);
        expect((await lexical(ref, 'word')).sort()).toEqual(['a@v2#0', 'a@v2#1', 'a@v2#2', 'b#0']);
        await index.replace(ref, ['a'], version(3, 1), false);
        expect((await lexical(ref, 'word')).sort()).toEqual(['a@v3#0', 'b#0']);
        expect(await lexical(ref, 'v1 v2')).toEqual([]);
      });

      test('repeating a call, also one whose rows are in already, changes nothing', async () => {
        const ref = newRef();
        const rows = [chunk('a', 0, 'one'), chunk('a', 1, 'two')];
        await index.replace(ref, ['a'], rows, true);
        await index.replace(ref, ['a'], rows, false);
        await index.replace(ref, ['a'], rows, false);
        expect(await index.count(ref)).toBe(2);
        expect(await lexical(ref, 'one two')).toHaveLength(2);
      });

      test('with no rows it deletes, before and after optimising', async () => {
        const ref = newRef();
        await index.replace(
          ref,
          ['a', 'b', 'c'],
          ['a', 'b', 'c'].map((id) => chunk(id, 0, 'word')),
          true,
        );
        await index.replace(ref, ['a'], [], false);
        expect(await index.documentIds(ref)).toEqual(new Set(['b', 'c']));
        await index.optimise(ref);
        await index.replace(ref, ['b'], [], false);
        expect(await lexical(ref, 'word')).toEqual(['c#0']);
        await index.replace(ref, ['c'], [], false);
        await index.optimise(ref);
        expect(await lexical(ref, 'word')).toEqual([]);
        expect(await index.searchDense(ref, axis(0), { limit: 5 })).toEqual([]);
        await index.replace(ref, ['c'], [chunk('c', 0, 'word')], false);
        expect(await lexical(ref, 'word')).toEqual(['c#0']);
      });

      test('vectors of another width are a conflict and leave the index as it was', async () => {
        const ref = newRef();
        await index.replace(ref, ['a'], [chunk('a', 0, 'word')], true);
        const wide = { ...chunk('b', 0, 'word'), vector: new Float32Array(DIMENSIONS * 2).fill(0.1) };
        expect(await codeOf(index.replace(ref, ['b'], [wide], true))).toBe('conflict');
        expect(await codeOf(index.searchDense(ref, new Float32Array(3).fill(1), { limit: 1 }))).toBe('conflict');
        expect(await index.count(ref)).toBe(1);
      });

      test('readers see the old chunks of a document or the new ones, never a mix, never neither', async () => {
        const ref = newRef();
        // Odd generations have four chunks, even ones two: half of the replacements shrink the document.
        const generation = (g: number): ChunkRow[] =>
          Array.from({ length: g % 2 === 1 ? 4 : 2 }, (_, i) => chunk('a', i, `word gen${g}`, i));
        const wordsOf = (parity: number): string[] => Array.from({ length: 13 }, (_, k) => `gen${k * 2 + parity}`);
        await index.replace(ref, ['a', 'z'], [...generation(0), chunk('z', 0, 'other')], true);
        let writing = true;
        const seen = { all: new Set<number>(), even: new Set<number>(), odd: new Set<number>() };
        const reader = async (): Promise<void> => {
          while (writing) {
            seen.all.add((await index.searchLexical(ref, ['word'], { limit: 50 })).length);
            seen.even.add((await index.searchLexical(ref, wordsOf(0), { limit: 50 })).length);
            seen.odd.add((await index.searchLexical(ref, wordsOf(1), { limit: 50 })).length);
          }
        };
        const readers = [reader(), reader()];
        for (let g = 1; g <= 25; g++) await index.replace(ref, ['a'], generation(g), false);
        writing = false;
        await Promise.all(readers);
        expect([...seen.all].filter((count) => count !== 2 && count !== 4)).toEqual([]);
        expect([...seen.even].filter((count) => count !== 0 && count !== 2)).toEqual([]);
        expect([...seen.odd].filter((count) => count !== 0 && count !== 4)).toEqual([]);
        expect(seen.all.size).toBe(2);
      });

      test('writers at once lose nothing', async () => {
        const ref = newRef();
        await Promise.all(
          Array.from({ length: 24 }, (_, i) =>
            index.replace(ref, [`d${i}`], [chunk(`d${i}`, 0, `word w${i}`)], i % 2 === 0),
          ),
        );
        expect(await index.count(ref)).toBe(24);
        expect((await index.documentIds(ref)).size).toBe(24);
        expect(await lexical(ref, 'w17')).toEqual(['d17#0']);
      });
    });

    chunkFilterContract({ index: () => index, newRef, lexical });

    describe('terms', () => {
      test('are matched as they are: case, bigrams, punctuation, operators and long terms', async () => {
        const ref = newRef();
        const long = 'x'.repeat(300);
        const terms = [
          '東京',
          '京都',
          'Foo',
          'foo',
          'AND',
          'OR',
          '+must',
          '-not',
          'a:b',
          'pre*',
          '"quoted"',
          '(x)',
          'the',
          long,
        ];
        const rows = terms.map((term, i) => chunk(`d${i}`, 0, `${term} filler`));
        await index.replace(
          ref,
          rows.map((row) => row.documentId),
          rows,
          true,
        );
        for (let pass = 0; pass < 2; pass++) {
          for (const [i, term] of terms.entries()) expect(await lexical(ref, term), term).toEqual([`d${i}#0`]);
          expect(await lexical(ref, 'pre')).toEqual([]);
          expect((await lexical(ref, '東京 京都 nothing')).sort()).toEqual(['d0#0', 'd1#0']);
          await index.optimise(ref);
        }
      });

      test('none, or a thousand, do no harm', async () => {
        const ref = newRef();
        await index.replace(ref, ['a'], [chunk('a', 0, 'word')], true);
        expect(await index.searchLexical(ref, [], { limit: 5 })).toEqual([]);
        expect(await index.searchLexical(ref, [' '], { limit: 5 })).toEqual([]);
        const many = ['word', ...Array.from({ length: 5000 }, (_, i) => `t${i}`)];
        expect(await index.searchLexical(ref, many, { limit: 5 })).toHaveLength(1);
        expect(await index.searchDense(ref, new Float32Array(DIMENSIONS), { limit: 5 })).toEqual([]);
        expect(await index.searchLexical(ref, ['word'], { limit: 0 })).toEqual([]);
      });
    });

    describe('many small appends', () => {
      test('the best are found whatever is indexed and whatever is not', async () => {
        const ref = newRef();
        const random = randomNumbers(7);
        const rows: ChunkRow[] = [];
        for (let batch = 0; batch < 30; batch++) {
          const added = Array.from({ length: 10 }, (_, i) => {
            const id = `d${batch * 10 + i}`;
            const words = Array.from({ length: 30 }, () => `w${Math.floor(random() ** 3 * 200)}`);
            const vector = unit(Float32Array.from({ length: DIMENSIONS }, () => random() - 0.5));
            return { ...chunk(id, 0, words.join(' ')), vector, tags: [`b=${batch % 3}`] };
          });
          rows.push(...added);
          await index.replace(
            ref,
            added.map((row) => row.documentId),
            added,
            true,
          );
          if (batch % 10 !== 9) continue;
          await checkAgainstScan(index, ref, rows);
          if (batch === 19) await index.optimise(ref);
        }
        await index.optimise(ref);
        await checkAgainstScan(index, ref, rows);
      });
    });

    describe('upkeep', () => {
      test('searches beside it miss nothing and mix nothing up', async () => {
        const ref = newRef();
        const rows = Array.from({ length: 40 }, (_, i) => chunk(`d${i}`, 0, `word w${i}`, i));
        for (const row of rows) await index.replace(ref, [row.documentId], [row], true);
        let working = true;
        const wrong: string[] = [];
        const search = async (): Promise<void> => {
          for (let i = 0; working; i++) {
            const all = await index.searchLexical(ref, ['word'], { limit: 100 });
            const [one] = await index.searchLexical(ref, [`w${i % 40}`], { limit: 1 });
            if (all.length !== 40) wrong.push(`${all.length} found`);
            if (one?.documentId !== `d${i % 40}`) wrong.push(`${one?.documentId} for d${i % 40}`);
          }
        };
        const searching = [search(), search()];
        for (let round = 0; round < 6; round++) {
          await index.optimise(ref);
          for (const row of rows.slice(round, round + 3)) await index.replace(ref, [row.documentId], [row], false);
        }
        working = false;
        await Promise.all(searching);
        expect(wrong).toEqual([]);
      });
    });

    describe('separation', () => {
      test('tenants, collections and versions do not see each other, whatever their names', async () => {
        const refs: IndexRef[] = [
          { tenantId: 'ten_a', collection: 'Docs', version: 1 },
          { tenantId: 'ten_a', collection: 'docs', version: 1 },
          { tenantId: 'ten_a', collection: 'docs', version: 2 },
          { tenantId: 'ten_b', collection: 'docs', version: 1 },
          { tenantId: 'ten_a', collection: '../../docs', version: 1 },
          { tenantId: 'ten_a', collection: '社内文書', version: 1 },
          { tenantId: 'ten_a', collection: 'x'.repeat(500), version: 1 },
          { tenantId: 'ten_a', collection: `${'x'.repeat(499)}y`, version: 1 },
          { tenantId: 'ten_a', collection: 'a.b', version: 1 },
          { tenantId: 'ten_a.a', collection: 'b', version: 1 },
        ];
        for (const [i, ref] of refs.entries()) await index.replace(ref, [`d${i}`], [chunk(`d${i}`, 0, 'word')], true);
        for (const [i, ref] of refs.entries()) expect(await lexical(ref, 'word')).toEqual([`d${i}#0`]);
        const [first, ...rest] = refs;
        if (first !== undefined) await index.drop(first);
        for (const [i, ref] of rest.entries()) expect(await lexical(ref, 'word')).toEqual([`d${i + 1}#0`]);
        if (first !== undefined) {
          expect(await index.count(first)).toBe(0);
          await index.replace(first, ['again'], [chunk('again', 0, 'word')], true);
          expect(await lexical(first, 'word')).toEqual(['again#0']);
        }
      });
    });

    describe('dropping', () => {
      test('while the table is being tended or purged leaves room for a new one of the same name at once', async () => {
        const ref = newRef();
        const index = fixture.open();
        for (let round = 0; round < 8; round++) {
          await index.replace(ref, ['a', 'b'], [chunk('a', 0, `word${round}`), chunk('b', 0, 'other')], true);
          await index.replace(ref, ['b'], [], false);
          const tending = round % 2 === 0 ? index.purge(ref) : index.optimise(ref);
          const ended = tending.catch(() => undefined);
          // At another step of it each time.
          await new Promise((resolve) => setTimeout(resolve, round * 7));
          const from = performance.now();
          await index.drop(ref);
          // A purge waits for readers by the second; a drop does not wait for that.
          expect(performance.now() - from).toBeLessThan(1_500);
          await ended;
          expect(await index.count(ref)).toBe(0);
        }
        await index.close();
      });
    });

    describe('opening again', () => {
      test('everything is there, and a closed index says that it is not available', async () => {
        const ref = newRef();
        const first = fixture.open();
        await first.replace(ref, ['a'], [chunk('a', 0, '永続 word')], true);
        await first.close();
        expect(await codeOf(first.count(ref))).toBe('storage_unavailable');
        const second = fixture.open();
        expect((await second.searchLexical(ref, ['永続'], { limit: 5 })).map((hit) => hit.chunkId)).toEqual(['a#0']);
        await second.replace(ref, ['a'], [chunk('a', 0, 'changed')], false);
        expect(await second.count(ref)).toBe(1);
        await second.close();
      });
    });
  });
}
