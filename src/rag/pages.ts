import { isJsonObject, stringAt, type JsonObject } from '../lib/json.ts';

/** Where a document's pages are kept among its metadata: they belong to one version of its text, as metadata does. */
const KEY = 'page_starts';

/**
 * Metadata with where the pages of the text begin. Kept as distances in one string inside an object: short even for
 * thousands of pages, and nothing that a filter could name.
 */
export function withPageStarts(metadata: JsonObject, starts: readonly number[]): JsonObject {
  const deltas = starts.map((start, place) => start - (starts[place - 1] ?? 0)).join(' ');
  return { ...metadata, [KEY]: { deltas } };
}

/** Offsets into the text where its pages begin, the first page first; none for a document without pages. */
export function pageStartsOf(metadata: JsonObject): number[] {
  const kept = metadata[KEY];
  const deltas = isJsonObject(kept) ? stringAt(kept, 'deltas') : undefined;
  if (deltas === undefined || !/^\d{1,9}(?: \d{1,9})*$/.test(deltas)) return [];
  let start = 0;
  return deltas.split(' ').map((delta) => (start += Number(delta)));
}

/** The page, from 1, on which a place of the text stands; undefined for a document without pages. */
export function pageAt(metadata: JsonObject, offset: number): number | undefined {
  if (metadata[KEY] === undefined) return undefined;
  const starts = pageStartsOf(metadata);
  if (starts.length === 0) return undefined;
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return Math.max(1, low);
}

/** The page of a passage, for whatever is told about it; nothing where its document has none. */
export function pageOf({ metadata, start }: { metadata: JsonObject; start: number }): { page?: number } {
  const page = pageAt(metadata, start);
  return page === undefined ? {} : { page };
}

/** Metadata as callers see it: what was said of the document, without where its pages begin. */
export function shownMetadata(metadata: JsonObject): JsonObject {
  if (metadata[KEY] === undefined) return metadata;
  const { [KEY]: _, ...shown } = metadata;
  return shown;
}
