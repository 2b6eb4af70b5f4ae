import { describe, expect, test } from 'bun:test';
import { createStaticEncoder } from './static-encoder.ts';
import parity from './static-encoder.parity.json';

const bundled = new Uint8Array(
  await Bun.file(new URL('../../../models/static-en-ja/model.bin', import.meta.url)).arrayBuffer(),
);
const encoder = createStaticEncoder(bundled);

const cosine = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
const similarity = (a: string, b: string): number => cosine(encoder.encode(a), encoder.encode(b));

/** A model of four entries in two dimensions, as the README lays it out. */
function tinyModel(): Uint8Array {
  const head = new TextEncoder().encode('{"id":"tiny"}   ');
  const entries = new TextEncoder().encode('ab\n##c\n関\n所');
  const padded = Math.ceil(entries.length / 4) * 4;
  const bytes = new Uint8Array(28 + head.length + 4 + padded + 8 + 16 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode('SKSTATIC'));
  [1, 4, 2, 4, head.length].forEach((value, at) => view.setUint32(8 + 4 * at, value, true));
  bytes.set(head, 28);
  let at = 28 + head.length;
  view.setUint32(at, entries.length, true);
  bytes.set(entries, at + 4);
  at += 4 + padded;
  [0, 0, 50, 50].forEach((cost, row) => view.setUint16(at + 2 * row, cost, true));
  [1, 0.5, 1, 2].forEach((scale, row) => view.setFloat32(at + 8 + 4 * row, scale, true));
  // Rows (3, 0), (0, 4 * 0.5), (-1, 0), (0, 2 * 2) as nibbles around 8.
  bytes.set([0x8b, 0xc8, 0x87, 0xa8], at + 24);
  return bytes;
}

describe('a hand-made model', () => {
  const tiny = createStaticEncoder(tinyModel());

  test('sums the rows of a word and of its continuation and scales to length 1', () => {
    const vector = tiny.encode('ABC');
    expect(vector[0]).toBeCloseTo(3 / Math.hypot(3, 2), 6);
    expect(vector[1]).toBeCloseTo(2 / Math.hypot(3, 2), 6);
  });

  test('rows keep their length, which is their weight', () => {
    const rows = tiny.rowsOf('関所 ab');
    expect([...rows].map((row) => tiny.entryOf(row))).toEqual(['関', '所', 'ab']);
    const vectors = new Float32Array(8);
    const weights = [...rows].map((row, at) => tiny.rowInto(row, vectors, 2 * at + 1));
    expect([...vectors]).toEqual([0, -1, 0, 0, 4, 3, 0, 0]);
    expect(weights).toEqual([1, 4, 3]);
  });

  test('unknown text has no tokens and the zero vector', () => {
    expect(tiny.countTokens('zzz 駅')).toBe(0);
    expect([...tiny.encode('zzz 駅')]).toEqual([0, 0]);
  });

  test('the fingerprint follows every byte', () => {
    const changed = tinyModel();
    changed[changed.length - 1] = 0x98;
    expect(createStaticEncoder(changed).fingerprint).not.toBe(tiny.fingerprint);
    expect(createStaticEncoder(tinyModel()).fingerprint).toBe(tiny.fingerprint);
  });

  test('bytes at an odd offset of a larger buffer are read the same', () => {
    const shifted = new Uint8Array(tinyModel().length + 3);
    shifted.set(tinyModel(), 3);
    expect([...createStaticEncoder(shifted.subarray(3)).encode('関所')]).toEqual([...tiny.encode('関所')]);
  });

  test('damaged bytes are refused with RangeError', () => {
    expect(() => createStaticEncoder(new Uint8Array(3))).toThrow(RangeError);
    expect(() => createStaticEncoder(tinyModel().subarray(0, 60))).toThrow(RangeError);
    expect(() => createStaticEncoder(new Uint8Array(100))).toThrow(RangeError);
  });
});

describe('the bundled model', () => {
  test.each(parity.map(({ text, tokens, head }) => ({ text, tokens, head })))(
    'agrees with the training side on %#',
    ({ text, tokens, head }) => {
      expect([...encoder.rowsOf(text)].map((row) => encoder.entryOf(row))).toEqual(tokens);
      const vector = encoder.encode(text);
      head.forEach((value, at) => expect(vector[at]).toBeCloseTo(value, 3));
    },
  );

  test('gives unit vectors of 256 floats', () => {
    expect(encoder.dimensions).toBe(256);
    for (const text of ['How do I reset my password?', 'パスワードを再設定したい']) {
      expect(Math.hypot(...encoder.encode(text))).toBeCloseTo(1, 5);
    }
  });

  test('case, width and composition do not matter', () => {
    expect(similarity('ＰＡＳＳＷＯＲＤ ﾘｾｯﾄ', 'password リセット')).toBeCloseTo(1, 5);
  });

  test.each([
    [
      'How do I get my money back?',
      'Refunds are paid to your card within five days.',
      'The office is closed on public holidays.',
    ],
    [
      'パスワードを忘れました',
      'ログインできないときはパスワードを再設定してください',
      '食堂の営業時間は十一時からです',
    ],
    ['How do I change my password?', 'パスワードを変更するには設定画面を開きます', '犬の散歩は朝と夕方に行います'],
    [
      '有給休暇は何日ありますか',
      'Employees receive twenty days of paid vacation each year.',
      'The server listens on port 8080.',
    ],
  ])('%s is nearer to %s than to %s', (query, near, far) => {
    expect(similarity(query, near)).toBeGreaterThan(similarity(query, far) + 0.1);
  });

  test('odd strings are safe', () => {
    for (const text of ['', '\0', '\ud800', 'a\udc00b', '🎌'.repeat(500), '\u3099\u3099', '\u202e\u200d']) {
      const vector = encoder.encode(text);
      expect(vector.length).toBe(256);
      expect(vector.every(Number.isFinite)).toBe(true);
    }
    expect(similarity('lone \ud800 surrogate', 'lone surrogate')).toBeCloseTo(1, 5);
  });

  test('a long run without any break is cut, not refused', () => {
    expect(encoder.countTokens('漢'.repeat(1_000_000))).toBeGreaterThan(0);
    expect(encoder.encode('word '.repeat(200_000)).every(Number.isFinite)).toBe(true);
    expect(encoder.encode('x'.repeat(1_000_000)).every(Number.isFinite)).toBe(true);
  });
});
