import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { StaticTextEncoder } from '../../ports/text-analyser.ts';
import type { Hit } from '../../spec/document.ts';
import { citeMarkers } from './cite.ts';

const analyser = createTextAnalyser();
const DOCUMENT =
  'Preface of the book. The harbour closes at nine. Boats wait outside until morning. 港は九時に閉まります。';
const at = DOCUMENT.indexOf('The harbour');

function hit(number: number, start: number, end: number): Hit {
  return {
    documentId: 'doc',
    chunkId: `doc#${number}`,
    start,
    end,
    content: DOCUMENT.slice(start, end),
    title: 'Harbour',
    headingPath: [],
    score: 1,
    metadata: {},
  };
}
const passages = [hit(0, at, DOCUMENT.length), hit(1, 0, at)];

describe('citeMarkers', () => {
  test('a numbered sentence is tied to the sentence of its passage that supports it, in document coordinates', () => {
    const answer = 'The harbour closes at nine [1]. Boats then wait until morning.[1]';
    const citations = citeMarkers(answer, passages, { analyser });
    expect(citations.map(({ sentence }) => sentence)).toEqual([
      'The harbour closes at nine.',
      'Boats wait outside until morning.',
    ]);
    for (const citation of citations) expect(DOCUMENT.slice(citation.start, citation.end)).toBe(citation.sentence);
    expect(answer.slice(citations[1]?.answer_start, citations[1]?.answer_end)).toBe(
      'Boats then wait until morning.[1]',
    );
  });

  test('a number after the full stop belongs to the sentence before it', () => {
    const citations = citeMarkers('The harbour closes at nine. [1] I know no more.', passages, { analyser });
    expect(citations).toHaveLength(1);
    expect(citations[0]).toMatchObject({ answer_start: 0, sentence: 'The harbour closes at nine.' });
  });

  test('Japanese', () => {
    const citations = citeMarkers('港は九時に閉まります[1]。朝まで待ちます。', passages, { analyser });
    expect(citations.map(({ sentence }) => sentence)).toEqual(['港は九時に閉まります。']);
  });

  test('a number without passage and a claim without support give nothing', () => {
    expect(citeMarkers('The harbour closes at nine [7].', passages, { analyser })).toEqual([]);
    expect(citeMarkers('Elephants paint quickly [1].', passages, { analyser })).toEqual([]);
    expect(citeMarkers('[1]', passages, { analyser })).toEqual([]);
    expect(citeMarkers('The harbour closes at nine.', passages, { analyser })).toEqual([]);
  });

  test('a claim of another language is tied by meaning', () => {
    const encoder: StaticTextEncoder = {
      id: 'test',
      dimensions: 2,
      fingerprint: 'x',
      countTokens: (text) => text.length,
      encode: (text) => new Float32Array(/harbour|埠頭/.test(text) ? [1, 0] : [0, 1]),
    };
    const english = [hit(0, at, DOCUMENT.indexOf('港'))];
    expect(citeMarkers('埠頭は夜に終わります[1]。', english, { analyser })).toEqual([]);
    expect(citeMarkers('埠頭は夜に終わります[1]。', english, { analyser, encoder })[0]?.sentence).toBe(
      'The harbour closes at nine.',
    );
  });

  test('every citation is an exact slice of the document, whatever the answer', () => {
    const piece = fc.constantFrom(
      'The harbour closes',
      ' at nine',
      '. ',
      '[1]',
      '[2]',
      '[99]',
      '\n',
      '港は九時',
      '。',
      '[',
      ']',
      '\ud83d',
      'Preface of the book',
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
        (answer) => {
          for (const citation of citeMarkers(answer, passages, { analyser })) {
            expect(DOCUMENT.slice(citation.start, citation.end)).toBe(citation.sentence);
            expect(answer.slice(citation.answer_start, citation.answer_end)).toMatch(/\[[12]\]/);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
