import { describe, expect, test } from 'bun:test';
import { createTextAnalyser } from '../text-analyser.ts';
import { extractSummary } from './extract-summary.ts';

const analyser = createTextAnalyser();
const ENGLISH = [
  'The harbour of Tomari exports salted fish.',
  'A painter once lived near the old gate.',
  'Fish from the harbour is salted in the winter.',
  'Salted fish from Tomari is sold in the capital.',
  'The winter is cold.',
];
const JAPANESE = [
  '関所では旅人の荷物を検査した。',
  '近くに古い茶屋があった。',
  '荷物の検査は関所の役人が行った。',
  '役人は旅人の手形も関所で検査した。',
  '秋には紅葉が美しい。',
];

describe('the sentences that say most', () => {
  test.each([
    ['English', ENGLISH.join(' '), ENGLISH, 1, 4],
    ['Japanese', JAPANESE.join(''), JAPANESE, 1, 4],
  ])('%s: what the text repeats is taken, what it mentions once is not', (_, text, sentences, aside, other) => {
    const summary = extractSummary(text, { analyser, maxSentences: 2 });
    expect(summary).toHaveLength(2);
    expect(summary.every((each) => sentences.includes(each))).toBe(true);
    expect(summary).not.toContain(sentences[aside]);
    expect(summary).not.toContain(sentences[other]);
  });

  test('they stand in the order of the text, and the same text gives the same summary', () => {
    const text = ENGLISH.join(' ');
    const summary = extractSummary(text, { analyser, maxSentences: 3 });
    expect(summary.map((each) => ENGLISH.indexOf(each))).toEqual(
      summary.map((each) => ENGLISH.indexOf(each)).toSorted((a, b) => a - b),
    );
    expect(extractSummary(text, { analyser, maxSentences: 3 })).toEqual(summary);
  });

  test('a repeated sentence is said once while another has something to say', () => {
    const twice = [ENGLISH[0], ENGLISH[0], ENGLISH[3], ENGLISH[1], ENGLISH[4]].join(' ');
    const summary = extractSummary(twice, { analyser, maxSentences: 2 });
    expect(new Set(summary).size).toBe(2);
  });

  test('a text without more sentences than asked for is its own summary', () => {
    expect(extractSummary(ENGLISH.slice(0, 2).join(' '), { analyser, maxSentences: 3 })).toEqual(ENGLISH.slice(0, 2));
    expect(extractSummary('', { analyser, maxSentences: 3 })).toEqual([]);
  });
});
