import { expect } from 'bun:test';
import type { ChunkIndex, ChunkRow, IndexHit, IndexRef } from '../../../src/ports/chunk-index.ts';
import { SekishoError } from '../../../src/spec/errors.ts';

export const DIMENSIONS = 16;

/** Compares both legs with a scan of all rows. BM25 has its own figures: of it, the set of matches and their order count. */
export async function checkAgainstScan(index: ChunkIndex, ref: IndexRef, rows: readonly ChunkRow[]): Promise<void> {
  for (const tag of [undefined, 'b=1']) {
    const visible = rows.filter((row) => tag === undefined || row.tags.includes(tag));
    const filter = tag === undefined ? {} : { where: { anyTag: [tag] } };
    const matching = visible.filter((row) => row.terms.split(' ').includes('w5')).map((row) => row.chunkId);
    const all = await index.searchLexical(ref, ['w5'], { limit: 1000, ...filter });
    expect(all.map((hit) => hit.chunkId).sort()).toEqual([...matching].sort());
    expectSorted(all);
    const best = await index.searchLexical(ref, ['w5'], { limit: 5, ...filter });
    expect(best.map((hit) => hit.score.toFixed(4))).toEqual(all.slice(0, 5).map((hit) => hit.score.toFixed(4)));
    const query = rows[3]?.vector ?? axis(0);
    const dense = await index.searchDense(ref, query, { limit: 5, ...filter });
    const scanned = visible
      .map((row) => ({
        id: row.chunkId,
        score: row.vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0),
      }))
      .sort((a, b) => b.score - a.score);
    expect(dense.map((hit) => hit.chunkId)).toEqual(scanned.slice(0, 5).map((each) => each.id));
    expect(dense[0]?.score).toBeCloseTo(scanned[0]?.score ?? Number.NaN, 4);
  }
}

export function expectSorted(hits: readonly IndexHit[]): void {
  expect(hits.map((hit) => hit.score)).toEqual(hits.map((hit) => hit.score).sort((a, b) => b - a));
}

export function chunk(documentId: string, ordinal: number, terms: string, direction = 0): ChunkRow {
  return {
    chunkId: `${documentId}#${ordinal}`,
    documentId,
    ordinal,
    start: ordinal * 10,
    end: ordinal * 10 + 10,
    headingPath: [documentId],
    terms,
    vector: axis(direction),
    tags: [],
  };
}

export function axis(direction: number): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  vector[direction % DIMENSIONS] = 1;
  return vector;
}

export function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (thrown) {
    return thrown instanceof SekishoError ? thrown.code : String(thrown);
  }
  return 'no error';
}
