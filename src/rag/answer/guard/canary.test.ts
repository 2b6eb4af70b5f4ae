import { describe, expect, test } from 'bun:test';
import { watchForCanary } from './canary.ts';

const MARK = 'k7f3a90c2d1e';

function passed(text: string, size = 1): string {
  const watch = watchForCanary(MARK);
  let out = '';
  for (let at = 0; at < text.length; at += size) out += watch.push(text.slice(at, at + size));
  return out + watch.end();
}

describe('the mark of the instructions', () => {
  test.each([
    `The mark is ${MARK}.`,
    MARK.toUpperCase(),
    [...MARK].join(' '),
    [...MARK].join('-'),
    [...MARK].join('\u200b'),
    `k7f3a9${MARK}`,
    MARK.replaceAll(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)),
  ])('is found in %j, and nothing of it has gone out', (text) => {
    for (const size of [1, 3, 1_000]) {
      const watch = watchForCanary(MARK);
      let out = '';
      expect(() => {
        for (let at = 0; at < text.length; at += size) out += watch.push(text.slice(at, at + size));
      }).toThrow('withheld');
      expect(out.toLowerCase().replaceAll(/[^a-z0-9]/g, '')).not.toContain(MARK.slice(0, 8));
    }
  });

  test('other text passes whole, also what begins like it', () => {
    for (const text of ['k7f3a90c2d1', 'k7f3 k7f3 and k', '鍵は k です。', '\ud83d\ude00k'])
      for (const size of [1, 2, 50]) expect(passed(text, size)).toBe(text);
  });
});
