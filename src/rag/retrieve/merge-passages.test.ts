import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { distinctPassages, mergePassages, type Passage } from './merge-passages.ts';

function passage(documentId: string, ordinal: number, span: [number, number], score: number, version = 'v1'): Passage {
  const [start, end] = span;
  const chunkId = `${documentId}@${version}#${ordinal}`;
  const content = 'x'.repeat(end - start);
  const explain = { fused: score };
  return { documentId, chunkId, start, end, headingPath: [], score, title: '', content, metadata: {}, explain };
}
const told = (passages: readonly Passage[]) =>
  passages.map(({ documentId, start, end, score }) => [documentId, start, end, score]);

describe('mergePassages', () => {
  test('chunks that follow each other become one passage at the place of the best', () => {
    const merged = mergePassages(
      [passage('a', 3, [300, 400], 0.9), passage('b', 0, [0, 50], 0.8), passage('a', 2, [200, 298], 0.5)],
      2,
    );
    expect(told(merged)).toEqual([
      ['a', 200, 400, 0.9],
      ['b', 0, 50, 0.8],
    ]);
    expect(merged[0]?.chunkId).toBe('a@v1#3');
    expect(merged[0]?.content).toBeUndefined();
    expect(merged[0]?.explain.chunks).toEqual(['a@v1#2', 'a@v1#3']);
  });

  test('what lies between two passages makes one of them, and the next candidate steps in', () => {
    const merged = mergePassages(
      [
        passage('a', 1, [100, 200], 0.9),
        passage('a', 3, [300, 400], 0.8),
        passage('a', 2, [200, 300], 0.7),
        passage('b', 0, [0, 9], 0.6),
      ],
      3,
    );
    expect(told(merged)).toEqual([
      ['a', 100, 400, 0.9],
      ['b', 0, 9, 0.6],
    ]);
    expect(merged[0]?.explain.chunks).toHaveLength(3);
  });

  test.each<[string, Passage]>([
    ['another document', passage('b', 2, [200, 300], 0.5)],
    ['another version of the document', passage('a', 2, [200, 300], 0.5, 'v2')],
    ['a chunk with another between', passage('a', 3, [210, 300], 0.5)],
    ['a wide gap', passage('a', 2, [800, 900], 0.5)],
    ['more than a passage may be long', passage('a', 2, [200, 8_200], 0.5)],
  ])('%s stays by itself', (_, other) => {
    expect(mergePassages([passage('a', 1, [100, 200], 0.9), other], 5)).toHaveLength(2);
  });

  test('one that lies inside another, or is the same, adds nothing', () => {
    const outer = passage('a', 1, [0, 9_000], 0.9);
    expect(told(mergePassages([outer, passage('a', 2, [100, 200], 0.8)], 5))).toEqual([['a', 0, 9_000, 0.9]]);
    expect(mergePassages([outer, passage('a', 7, [0, 9_000], 0.8)], 5)[0]?.content).toBeDefined();
  });

  test('passages do not overlap, hold every chunk that went into them, and nothing but those and the gaps', () => {
    const layout = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 60 })), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        layout,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.integer({ min: 1, max: 12 }),
        (cuts, random, topK) => {
          let at = 0;
          const chunks = cuts.map(([gap, length], ordinal) => {
            const start = at + gap;
            at = start + length;
            return passage('a', ordinal, [start, at], random.next().value ?? 0);
          });
          const ranked = chunks.toSorted((a, b) => b.score - a.score);
          const merged = mergePassages(ranked, topK);
          expect(merged.length).toBeLessThanOrEqual(topK);
          expect(merged[0]?.score).toBe(ranked[0]?.score ?? -1);
          const byPlace = merged.toSorted((a, b) => a.start - b.start);
          byPlace.forEach(({ start, end, explain, chunkId }, i) => {
            expect(start).toBeGreaterThanOrEqual(byPlace[i - 1]?.end ?? 0);
            const inside = chunks.filter((chunk) => (explain.chunks ?? [chunkId]).includes(chunk.chunkId));
            expect([inside[0]?.start, inside.at(-1)?.end]).toEqual([start, end]);
            const ordinals = inside.map((chunk) => chunks.indexOf(chunk));
            expect(ordinals).toEqual(ordinals.map((_, n) => (ordinals[0] ?? 0) + n));
          });
        },
      ),
    );
  });
});

test('distinctPassages keeps the best of one span and merges nothing', () => {
  const found = distinctPassages(
    [
      passage('a', 0, [0, 90], 0.9),
      passage('a', 1, [0, 90], 0.8),
      passage('a', 2, [90, 120], 0.7),
      passage('b', 0, [0, 9], 0.1),
    ],
    2,
  );
  expect(told(found)).toEqual([
    ['a', 0, 90, 0.9],
    ['a', 90, 120, 0.7],
  ]);
});
