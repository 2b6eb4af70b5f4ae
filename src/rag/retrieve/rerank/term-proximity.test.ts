import { expect, test } from 'bun:test';
import { createTextAnalyser } from '../../../nlp/text-analyser.ts';
import { answerKindOf } from './answer-kind.ts';
import { createTermProximity } from './term-proximity.ts';

const analyser = createTextAnalyser();
const proximity = createTermProximity((text) => analyser.terms(text));

test('words in one place count for more than the same words apart', () => {
  const filler = ' and so on and on'.repeat(20);
  const [near, far, none] = proximity('annual leave policy', [
    `The annual leave policy${filler}`,
    `Annual reports${filler} leave the room${filler} the policy`,
    'nothing of it',
  ]);
  expect(near).toBeCloseTo(1, 6);
  expect(far ?? 1).toBeLessThan(0.6);
  expect(none).toBe(0);
});

test('Japanese, and forms that normalisation brings together', () => {
  const [near, far] = proximity('サーバーの再起動', [
    'ｻｰﾊﾞｰの再起動が必要です',
    'サーバーです。'.padEnd(200, 'あ') + '再び起動',
  ]);
  expect(near ?? 0).toBeGreaterThan((far ?? 1) + 0.2);
});

test('odd input gives finite numbers from 0 to 1', () => {
  for (const query of ['', '!?', '\ud800', 'a '.repeat(9_000), '的'.repeat(9_000)]) {
    for (const value of proximity(query, ['', 'a '.repeat(20_000), '\0', '的'.repeat(50_000)])) {
      expect(value).toBeWithin(0, 1.000001);
    }
  }
  expect(proximity('q', [])).toEqual([]);
});

test('a question for a date or a number is told from others, in both languages', () => {
  const dated = 'It opened in 1998.';
  expect(answerKindOf('When did it open?')(dated).date).toBeGreaterThan(0);
  expect(answerKindOf('開館したのは何年ですか')('1998年に開館した。').date).toBeGreaterThan(0);
  expect(answerKindOf('Where did it open?')(dated)).toEqual({ date: 0, number: 0 });
  expect(answerKindOf('何人が参加しましたか')('参加者は三百人。').number).toBeGreaterThan(0);
  expect(answerKindOf('何が参加しましたか')('参加者は300人。').number).toBe(0);
});
