import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { pageAt, pageStartsOf, shownMetadata, withPageStarts } from './pages.ts';
import { tagsOf } from './tags.ts';

describe('pages of a document', () => {
  test('are told as they were given, and the page of a place is the last that begins at or before it', () => {
    const starts = fc
      .array(fc.nat(3_000), { minLength: 1, maxLength: 200 })
      .map((lengths) => lengths.reduce<number[]>((all, length) => [...all, (all.at(-1) ?? 0) + length], [0]));
    fc.assert(
      fc.property(starts, fc.nat(500_000), (given, offset) => {
        const metadata = withPageStarts({ file: 'a.pdf' }, given);
        expect(pageStartsOf(metadata)).toEqual(given);
        expect(pageAt(metadata, offset)).toBe(given.filter((start) => start <= offset).length);
      }),
    );
  });

  test('are no tags, and are not shown as metadata', () => {
    const metadata = withPageStarts({ file: 'a.pdf' }, [0, 10, 20]);
    expect(tagsOf(metadata)).toEqual(['file=a.pdf']);
    expect(shownMetadata(metadata)).toEqual({ file: 'a.pdf' });
  });

  test('metadata of a caller that only looks like it gives none', () => {
    for (const kept of ['0 1', { deltas: '0 x' }, { deltas: 7 }, { deltas: '' }, [0, 1], null]) {
      expect(pageAt({ page_starts: kept }, 5)).toBeUndefined();
    }
    expect(pageAt({}, 5)).toBeUndefined();
  });

  test('of thousands of pages fit into the bound of metadata', () => {
    const metadata = withPageStarts(
      {},
      Array.from({ length: 10_000 }, (_, page) => page * 999),
    );
    expect(JSON.stringify(metadata).length).toBeLessThan(50_000);
  });
});
