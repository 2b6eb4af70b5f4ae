import { afterAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { approximateTokens } from '../../lib/approximate-tokens.ts';
import { imageTokens } from './image-tokens.ts';
import { familyOf } from './model-family.ts';
import { createTokenCounter } from './token-counter.ts';

const counter = createTokenCounter();
afterAll(() => counter.close());
const AS_TEXT = { disallowedSpecial: new Set<string>() };

const EN =
  'Every traveller who reached the barrier station was asked for a pass, and the inspectors wrote down who went ' +
  'by, where from, and in whose service. Women and weapons were looked at with particular care (1625–1869).';
const JA =
  '関所では、旅人の手形を改め、誰がどこから来てどこへ行くのかを帳面に記した。特に「入り鉄砲に出女」は厳しく取り締まられた。';
const CODE =
  'export function toll(passes: readonly Pass[]): number {\n  return passes.filter((p) => !p.free).length * 12;\n}\n';
const JSON_TEXT = JSON.stringify({
  id: 'pass_81',
  holder: { name: 'Oyama', age: 41 },
  goods: ['tea', 'silk'],
  paid: true,
});

describe('counting', () => {
  test.each([EN, JA, CODE, JSON_TEXT, '', '<|endoftext|>'])(
    'a public tokeniser counts as upstream does: %#',
    async (text) => {
      const [count = -1] = await counter.count('gpt-4o-mini', [text]);
      expect(count).toBe(Math.ceil(countTokens(text, AS_TEXT) * 1.02));
    },
  );

  test('long text is cut without a difference worth speaking of', async () => {
    const text = `${EN} ${JA}\n${CODE}`.repeat(300);
    const [count = 0] = await counter.count('openai/gpt-5', [text]);
    const exact = countTokens(text, AS_TEXT);
    expect(count / exact).toBeWithin(1, 1.03);
  });

  test.each(['a', ' ', 'あ', '!', '\n', '🎌', 'ab'])(
    'many of %j are counted in time linear in their number',
    async (unit) => {
      const [small, large] = await Promise.all(
        [10_000, 100_000].map(async (length) => {
          await counter.count('gpt-4o', [unit.repeat(10)]);
          const started = performance.now();
          const [count = 0] = await counter.count('gpt-4o', [unit.repeat(length)], 1e9);
          return { count, ms: performance.now() - started };
        }),
      );
      // Quadratic work would take minutes for the larger one; approximation would follow after three seconds.
      expect(large?.ms).toBeLessThan(2_900);
      expect((large?.count ?? 0) / (small?.count ?? 1)).toBeWithin(9, 11);
    },
  );

  test('counting ends where the sum is above what matters', async () => {
    const counts = await counter.count('gpt-4o', [EN, EN.repeat(2_000), EN], 1_000);
    expect(counts).toHaveLength(2);
    expect(counts[1]).toBeLessThan(4_000);
    expect(await counter.count('claude-x', [EN, EN.repeat(2_000), EN], 1_000)).toHaveLength(2);
  });

  test('a worker that does not answer in time is replaced by approximation, and the next count has another', async () => {
    const hasty = createTokenCounter({ timeoutMs: 0 });
    const [approximated] = await hasty.count('gpt-4o', [EN]);
    hasty.close();
    expect(approximated).toBe(Math.ceil(approximateTokens(EN) * 1.02));
  });
});

test.each([EN, JA, CODE, JSON_TEXT])('an approximation is near the tokens of o200k: %#', (text) => {
  expect(approximateTokens(text) / countTokens(text)).toBeWithin(0.85, 1.35);
});

test('no text has more tokens than the bound says, counted or approximated', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
      for (const model of ['gpt-4o', 'claude-sonnet-4-5']) {
        const [count = 0] = await counter.count(model, [text]);
        expect(count).toBeLessThanOrEqual(counter.atMost(model, text));
      }
    }),
    { numRuns: 100 },
  );
});

test.each([
  ['gpt-4o-mini', 'o200k_base'],
  ['openai/gpt-4.1-nano', 'o200k_base'],
  ['o3', 'o200k_base'],
  ['openai/o4-mini', 'o200k_base'],
  ['openai.gpt-oss-120b-1:0', 'o200k_base'],
  ['gpt-4-turbo', 'cl100k_base'],
  ['gpt-35-turbo', 'cl100k_base'],
  ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', undefined],
  ['llama-3.3-70b', undefined],
])('%s is counted with %s', (model, encoding) => {
  expect<string | undefined>(familyOf(model).encoding).toBe(encoding);
});

test('images by the rules of their vendors', () => {
  const png = (width: number, height: number): string => {
    const head = Buffer.alloc(40);
    head.write('\x89PNG\r\n\x1a\n', 'latin1');
    head.writeUInt32BE(width, 16);
    head.writeUInt32BE(height, 20);
    return `data:image/png;base64,${head.toString('base64')}`;
  };
  const jpeg = Buffer.concat([
    Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, 0x02, 0x00, 0x03, 0x00]),
    Buffer.alloc(30),
  ]);
  expect(imageTokens('gpt-4o', { url: png(1_024, 1_024) })).toBe(765);
  expect(imageTokens('gpt-4o', { url: png(2_048, 4_096) })).toBe(1_105);
  expect(imageTokens('gpt-4o', { url: png(9_000, 9_000), detail: 'low' })).toBe(85);
  expect(imageTokens('gpt-4o', { url: `data:image/jpeg;base64,${jpeg.toString('base64')}` })).toBe(425);
  expect(imageTokens('claude-sonnet-4-5', { url: png(1_000, 1_000) })).toBe(1_334);
  expect(imageTokens('gemini-2.5-flash', { url: png(300, 300) })).toBe(258);
  expect(imageTokens('gemini-2.5-flash', { url: png(1_000, 700) })).toBe(516);
  expect(imageTokens('gpt-4o', { url: 'https://example.org/a.png' })).toBeGreaterThan(700);
  expect(imageTokens('other', { url: 'data:image/png;base64,AAAA' })).toBeGreaterThan(256);
});
