import { describe, expect, test } from 'bun:test';
import { createStaticEncoder } from './static-encoder.ts';
import { createTokenMatch } from './token-match.ts';

const bundled = await Bun.file(new URL('../../../models/static-en-ja/model.bin', import.meta.url)).arrayBuffer();
const matchTitled = createTokenMatch(createStaticEncoder(new Uint8Array(bundled)));
const match = (query: string, texts: readonly string[]): Float32Array =>
  matchTitled(
    query,
    texts.map((text) => ({ title: '', text })),
  );

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

  test('what stands together counts for more than what is scattered; the title stands beside every place', () => {
    const filler = 'Weather was mild and the garden party went on until the evening. '.repeat(20);
    const [together, scattered] = match('reset the printer password', [
      `${filler} Reset the printer password. ${filler}`,
      `Reset it. ${filler} The printer. ${filler} A password.`,
    ]);
    expect(together ?? 0).toBeGreaterThan((scattered ?? 0) + 0.1);
    const text = `${filler} Choose a new password. ${filler}`;
    const [titled, untitled] = matchTitled('reset the printer password', [
      { title: 'How to reset a printer', text },
      { title: '', text },
    ]);
    expect(titled ?? 0).toBeGreaterThan((untitled ?? 0) + 0.1);
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
