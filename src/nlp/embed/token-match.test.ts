import { describe, expect, test } from 'bun:test';
import { createStaticEncoder } from './static-encoder.ts';
import { createTokenMatch } from './token-match.ts';

const bundled = await Bun.file(new URL('../../../models/static-en-ja/model.bin', import.meta.url)).arrayBuffer();
const match = createTokenMatch(createStaticEncoder(new Uint8Array(bundled)));

describe('token match', () => {
  test('a text that holds every query token covers it whole', () => {
    const [whole, none] = match('reset password', ['Choose reset, then enter the new password twice.', '']);
    expect(whole).toBeCloseTo(1, 4);
    expect(none).toBe(0);
  });

  test('the passage with the detail beats the passage with the topic', () => {
    const [detail, topic] = match('保証期間は何年ですか', [
      'この製品の保証期間はお買い上げから二年間です。',
      'この製品はお買い上げから七日以内なら返品できます。',
    ]);
    expect(detail ?? 0).toBeGreaterThan((topic ?? 0) + 0.05);
  });

  test('a synonym counts for more than a stranger', () => {
    const [synonym, stranger] = match('car repair', ['automobile maintenance', 'violin concerto']);
    expect(synonym ?? 0).toBeGreaterThan((stranger ?? 0) + 0.1);
  });

  test('odd input gives finite scores from 0 to 1', () => {
    for (const query of ['', '\ud800', '🎌', 'word '.repeat(5000)]) {
      for (const score of match(query, ['', 'some text', '\0', '文字列'])) {
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }
    }
    expect(match('query', [])).toHaveLength(0);
  });
});
