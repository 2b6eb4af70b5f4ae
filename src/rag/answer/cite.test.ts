import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { StaticTextEncoder } from '../../ports/text-analyser.ts';
import type { Citation } from '../../spec/citation.ts';
import type { Hit } from '../../spec/document.ts';
import type { EvidenceDeps } from './verify/evidence.ts';
import { verifyAnswer } from './verify/verify-answer.ts';

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

async function cited(answer: string, from: readonly Hit[], deps: EvidenceDeps): Promise<Citation[]> {
  return (await verifyAnswer(answer, from, deps)).flatMap(({ citations }) => citations);
}

describe('citations of a model that writes', () => {
  test('a numbered sentence is tied to the sentence of its passage that supports it, in document coordinates', async () => {
    const answer = 'The harbour closes at nine [1]. Boats then wait until morning.[1]';
    const citations = await cited(answer, passages, { analyser });
    expect(citations.map(({ sentence }) => sentence)).toEqual([
      'The harbour closes at nine.',
      'Boats wait outside until morning.',
    ]);
    for (const citation of citations) expect(DOCUMENT.slice(citation.start, citation.end)).toBe(citation.sentence);
    expect(answer.slice(citations[1]?.answer_start, citations[1]?.answer_end)).toBe(
      'Boats then wait until morning.[1]',
    );
  });

  test('a number after the full stop belongs to the sentence before it', async () => {
    const citations = await cited('The harbour closes at nine. [1] I know no more.', passages, { analyser });
    expect(citations).toHaveLength(1);
    expect(citations[0]).toMatchObject({ answer_start: 0, sentence: 'The harbour closes at nine.' });
  });

  test('Japanese', async () => {
    const citations = await cited('港は九時に閉まります[1]。朝まで待ちます。', passages, { analyser });
    expect(citations.map(({ sentence }) => sentence)).toEqual(['港は九時に閉まります。']);
  });

  test('a number without passage and a claim without support give nothing', async () => {
    expect(await cited('The harbour closes at nine [7].', passages, { analyser })).toEqual([]);
    expect(await cited('Elephants paint quickly [1].', passages, { analyser })).toEqual([]);
    expect(await cited('[1]', passages, { analyser })).toEqual([]);
  });

  test('a sentence that names no source is given the one whose words it has', async () => {
    const [found] = await cited('The harbour closes at nine.', passages, { analyser });
    expect(found).toMatchObject({ sentence: 'The harbour closes at nine.', answer_start: 0 });
    expect(await cited('Harbours close when it is dark.', passages, { analyser })).toEqual([]);
  });

  test('a claim of another language is tied by meaning', async () => {
    const encoder: StaticTextEncoder = {
      id: 'test',
      dimensions: 2,
      fingerprint: 'x',
      countTokens: (text) => text.length,
      encode: (text) => new Float32Array(/harbour|埠頭/.test(text) ? [1, 0] : [0, 1]),
    };
    const english = [hit(0, at, DOCUMENT.indexOf('港'))];
    expect(await cited('埠頭は夜に終わります[1]。', english, { analyser })).toEqual([]);
    expect(
      await cited('埠頭は夜に終わります[1]。', english, { analyser, encoder }).then(([one]) => one?.sentence),
    ).toBe('The harbour closes at nine.');
  });

  test('every citation is an exact slice of the document, whatever the answer', async () => {
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
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
        async (answer) => {
          for (const citation of await cited(answer, passages, { analyser })) {
            expect(DOCUMENT.slice(citation.start, citation.end)).toBe(citation.sentence);
            expect(answer.slice(citation.answer_start, citation.answer_end).trim()).not.toBe('');
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
