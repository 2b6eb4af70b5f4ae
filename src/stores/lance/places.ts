import type { Query, VectorQuery } from '@lancedb/lancedb';
import { LRUCache } from 'lru-cache';
import type { IndexHit } from '../../ports/chunk-index.ts';
import { PLACE_COLUMN, column, placeAt } from './chunk-columns.ts';
import type { Place } from './chunk-columns.ts';
import type { OpenTable } from './open-tables.ts';

const MOST_REMEMBERED = 100_000;

/** Runs a search and fills its hits; `scoreColumn` and `toScore` say how the index names and counts scores. */
export interface PlacedSearch {
  /** Makes the query, without columns: it may be run twice. */
  query: () => Query | VectorQuery;
  scoreColumn: string;
  toScore: (stored: number) => number;
}

/** Finds hits, best first; equal scores in order of chunk id. */
export type FindHits = (open: OpenTable, search: PlacedSearch) => Promise<IndexHit[]>;

/**
 * Reading a hundred scattered rows costs as much as finding them, so places are remembered by row address: what
 * stands at an address never changes, and an address is not used again within a table. The search itself says
 * which rows exist. A compaction between search and read moves rows to new addresses; then the search runs again,
 * reading the places with it.
 */
export function createFindHits(): FindHits {
  const remembered = new LRUCache<string, Place>({ max: MOST_REMEMBERED });

  return async (open, { query, scoreColumn, toScore }) => {
    const found = await query().select([scoreColumn]).withRowId().toArrow();
    // An answer without rows comes without columns.
    if (found.numRows === 0) return [];
    const scores = Array.from(column(found, scoreColumn), Number);
    const rowIds: unknown[] = Array.from(column(found, '_rowid'));
    const places = rowIds.map((rowId) => remembered.get(`${open.id}/${String(rowId)}`));

    const unknown = rowIds.filter((rowId, i): rowId is bigint => places[i] === undefined && typeof rowId === 'bigint');
    if (unknown.length > 0) {
      const read = await open.table.takeRowIds(unknown).select([PLACE_COLUMN]).withRowId().toArrow();
      const fresh = new Map<string, Place>();
      if (read.numRows > 0) {
        const readIds: unknown[] = Array.from(column(read, '_rowid'));
        const cells = column(read, PLACE_COLUMN);
        readIds.forEach((rowId, i) => fresh.set(String(rowId), placeAt(String(cells.get(i)))));
      }
      for (const [rowId, place] of fresh) remembered.set(`${open.id}/${rowId}`, place);
      if (fresh.size < unknown.length) return inOneGo(query, scoreColumn, toScore);
      rowIds.forEach((rowId, i) => (places[i] ??= fresh.get(String(rowId))));
    }
    return inOrder(places, scores.map(toScore));
  };
}

async function inOneGo(
  query: PlacedSearch['query'],
  scoreColumn: string,
  toScore: (stored: number) => number,
): Promise<IndexHit[]> {
  const found = await query().select([PLACE_COLUMN, scoreColumn]).toArrow();
  if (found.numRows === 0) return [];
  const places = Array.from(column(found, PLACE_COLUMN), (cell) => placeAt(String(cell)));
  return inOrder(
    places,
    Array.from(column(found, scoreColumn), (score) => toScore(Number(score))),
  );
}

function inOrder(places: readonly (Place | undefined)[], scores: readonly number[]): IndexHit[] {
  return places
    .flatMap((place, i): IndexHit[] => (place === undefined ? [] : [{ ...place, score: scores[i] ?? 0 }]))
    .sort((a, b) => b.score - a.score || (a.chunkId < b.chunkId ? -1 : 1));
}
