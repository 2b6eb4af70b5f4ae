import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import { chunkText } from './chunk.ts';

const analyser = createTextAnalyser();
const deps = { sentences: analyser.sentences, countTokens: (text: string) => Math.ceil(text.length / 4) };
const japanese = { sentences: analyser.sentences, countTokens: (text: string) => Math.ceil(text.length / 1.5) };

describe('chunks', () => {
  test('cover every character that is no white space, in order, as exact slices, within bounds', () => {
    const text = fc.array(
      fc.oneof(
        fc.lorem({ maxCount: 30, mode: 'sentences' }),
        fc.constantFrom(
          '関所は、旅人を調べ、記録し、送り出す場所です。',
          '\n\n',
          '# Heading\n',
          '🚧'.repeat(900),
          '「はい。」と言った。',
        ),
        fc.string({ unit: 'binary', maxLength: 400 }),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (pieces, places) => {
        const whole = pieces.join(' ');
        const headings = [...new Set(places.map((place) => place % (whole.length + 1)))]
          .filter((start) => !/[\udc00-\udfff]/.test(whole.charAt(start)))
          .sort((a, b) => a - b)
          .map((start, index) => ({ level: 1 + (index % 3), start, text: `h${index}` }));
        const chunks = [...chunkText(whole, headings, japanese)];
        let covered = 0;
        for (const chunk of chunks) {
          expect(chunk.content).toBe(whole.slice(chunk.start, chunk.end));
          expect(whole.slice(covered, chunk.start).trim()).toBe('');
          expect(japanese.countTokens(chunk.content)).toBeLessThanOrEqual(1_000);
          expect(chunk.content).not.toMatch(/^[\udc00-\udfff]/);
          covered = chunk.end;
        }
        expect(whole.slice(covered).trim()).toBe('');
      }),
      { numRuns: 60 },
    );
  });

  test('a heading begins a chunk, and its path names the headings above it', () => {
    const filler = 'This sentence says something about the checkpoint. '.repeat(12);
    const text = `# Guide\n${filler}\n## Keys\n${filler}\n## Budgets\n${filler}`;
    const headings = [...text.matchAll(/^(#+) (.+)$/gm)].map((match) => ({
      level: match[1]?.length ?? 1,
      start: match.index,
      text: match[2] ?? '',
    }));
    expect([...chunkText(text, headings, deps)].map((chunk) => chunk.headingPath)).toEqual([
      ['Guide'],
      ['Guide', 'Keys'],
      ['Guide', 'Budgets'],
    ]);
  });

  test('ten megabytes without a space are cut in bounded time', () => {
    const text = 'あ'.repeat(3_000_000);
    const started = performance.now();
    const chunks = [...chunkText(text, [], japanese)];
    expect(chunks.length).toBeGreaterThan(3_000);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test('a document of nothing but headings costs one pass', () => {
    const text = '## a\n'.repeat(200_000);
    const headings = Array.from({ length: 200_000 }, (_, index) => ({ level: 2, start: index * 5, text: 'a' }));
    const started = performance.now();
    expect([...chunkText(text, headings, deps)].length).toBeGreaterThan(1_000);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('the first chunk of a long text costs no more than that of a short one', () => {
    const text = 'One sentence of many. '.repeat(400_000);
    let seen = 0;
    const chunks = chunkText(text, [], {
      ...deps,
      sentences: (window) => {
        seen += window.length;
        return deps.sentences(window);
      },
    });
    expect(chunks.next().done).toBe(false);
    expect(seen).toBeLessThan(200_000);
  });

  test('white space is not handed to a reader by the page', () => {
    const chunks = [...chunkText(`One.${'\n'.repeat(5_000)}Two.`, [], deps)];
    expect(chunks.map((chunk) => chunk.content)).toEqual(['One.', 'Two.']);
  });

  test('nothing but white space has no chunks', () => {
    expect([...chunkText(' \n\t ', [], deps)]).toEqual([]);
  });
});
