import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTextAnalyser } from '../../../nlp/text-analyser.ts';
import type { ChunkerSettings } from '../../../spec/collection.ts';
import { findMarkdownHeadings } from '../parse/markdown-headings.ts';
import { chunkerOf } from './chunker-of.ts';
import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';

const analyser = createTextAnalyser();
/** A direction per text that follows from its letters, so that neighbouring sentences differ and repeats do not. */
const vectorOf = (text: string): Float32Array => {
  const vector = new Float32Array(8);
  for (const character of text) {
    const at = (character.codePointAt(0) ?? 0) % 8;
    vector[at] = (vector[at] ?? 0) + 1;
  }
  return vector;
};
const tools: ChunkerTools = {
  sentences: analyser.sentences,
  countTokens: (text) => Math.ceil(text.length / 1.5),
  embed: (texts) => Promise.resolve(texts.map(vectorOf)),
};

const KINDS: [settings: ChunkerSettings, maxTokens: number][] = [
  [{ kind: 'recursive', targetTokens: 300, maxTokens: 500 }, 500],
  [{ kind: 'recursive', targetTokens: 20, maxTokens: 24 }, 24],
  [{ kind: 'fixed', tokens: 128, overlapTokens: 32 }, 128],
  [{ kind: 'fixed', tokens: 16, overlapTokens: 0 }, 16],
  [{ kind: 'structure', maxTokens: 200 }, 200],
  [{ kind: 'sentence-window', sentences: 2 }, 256],
  [{ kind: 'parent-child', childTokens: 50, parentTokens: 300 }, 50],
  [{ kind: 'semantic', percentile: 80, maxTokens: 150 }, 150],
];
const FIXED_OVERLAP = 32;

const text = fc
  .array(
    fc.oneof(
      fc.lorem({ maxCount: 30, mode: 'sentences' }),
      fc.constantFrom(
        '関所は、旅人を調べ、記録し、送り出す場所です。',
        '\n\n',
        '\r\n',
        '\n# Heading\n',
        '\n| a | b |\n|---|---|\n| 1 | 2 |\n',
        '\n```\ncode();\n\nmore();\n```\n',
        '🚧'.repeat(900),
        '👩‍👩‍👧‍👦'.repeat(40),
        '👩\u200d'.repeat(300),
        'e\u0301'.repeat(700),
        `a${'\u0301'.repeat(300)}`,
        'x'.repeat(3_000),
        ' '.repeat(1_200),
        '「はい。」と言った。',
        '\ud83d',
      ),
      fc.string({ unit: 'binary', maxLength: 400 }),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => pieces.join(' '));

async function cut(settings: ChunkerSettings, source: ChunkSource, with_ = tools): Promise<TextChunk[]> {
  const chunks: TextChunk[] = [];
  for await (const chunk of chunkerOf(settings).cut(source, with_)) chunks.push(chunk);
  return chunks;
}

/** The text as Markdown, with a few headings more wherever the numbers say. */
function sourceOf(whole: string, places: readonly number[]): ChunkSource {
  const starts = new Map(findMarkdownHeadings(whole).map((heading) => [heading.start, heading]));
  for (const place of places) {
    const start = place % (whole.length + 1);
    if (!/[\udc00-\udfff]/.test(whole.charAt(start))) starts.set(start, { level: 1 + (start % 3), start, text: 'h' });
  }
  return { text: whole, headings: [...starts.values()].sort((a, b) => a.start - b.start) };
}

describe.each(KINDS)('%o', (settings, maxTokens) => {
  test('covers all that is no white space, in order, as exact slices, within bounds', async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(), { maxLength: 6 }), async (whole, places) => {
        let covered = 0;
        let lastStart = -1;
        for (const chunk of await cut(settings, sourceOf(whole, places))) {
          const { start, end, content, passage } = chunk;
          expect(content).toBe(whole.slice(start, end));
          expect(content.trim()).not.toBe('');
          expect(start).toBeGreaterThan(lastStart);
          expect(end).toBeGreaterThan(covered);
          if (start > covered) expect(whole.slice(covered, start).trim()).toBe('');
          else expect(covered - start).toBeLessThanOrEqual(settings.kind === 'fixed' ? FIXED_OVERLAP * 1.5 : 0);
          // Between pieces there may be white space that none of them counted.
          if (settings.kind === 'fixed')
            expect(tools.countTokens(content.replace(/\s+/g, ' '))).toBeLessThanOrEqual(maxTokens);
          else expect(tools.countTokens(content.replace(/\s+/g, ''))).toBeLessThanOrEqual(maxTokens);
          for (const at of [start, end, passage?.start ?? 0, passage?.end ?? 0])
            expect(splitsPair(whole, at)).toBe(false);
          if (passage !== undefined) {
            expect(passage.start).toBeLessThanOrEqual(start);
            expect(passage.end).toBeGreaterThanOrEqual(end);
            expect(passage.end).toBeLessThanOrEqual(whole.length);
          }
          covered = end;
          lastStart = start;
        }
        expect(whole.slice(covered).trim()).toBe('');
      }),
      { numRuns: 60 },
    );
  });

  test('nothing but white space has no chunks', async () => {
    expect(await cut(settings, { text: ' \r\n\t　 ', headings: [] })).toEqual([]);
  });

  test('white space is not handed to a reader by the page', async () => {
    const chunks = await cut(settings, { text: `One.${'\n'.repeat(5_000)}Two.`, headings: [] });
    expect(chunks.map(({ content }) => content)).toEqual(['One.', 'Two.']);
    for (const { passage, start, end } of chunks) if (passage) expect(passage).toEqual({ start, end });
  });

  test('the first chunk of a long text costs no more than that of a short one', async () => {
    let seen = 0;
    const counted: ChunkerTools = {
      ...tools,
      sentences: (window) => {
        seen += window.length;
        return tools.sentences(window);
      },
      countTokens: (span) => {
        seen += span.length;
        return tools.countTokens(span);
      },
    };
    const source = { text: 'One sentence of many. '.repeat(400_000), headings: [] };
    for await (const chunk of chunkerOf(settings).cut(source, counted)) {
      expect(chunk.start).toBe(0);
      break;
    }
    expect(seen).toBeLessThan(400_000);
  });

  test.each([
    ['one word', 'あ'.repeat(300_000)],
    ['marks on one letter', `a${'\u0301'.repeat(300_000)}`],
    ['an emoji family', '👩\u200d'.repeat(100_000)],
    ['white space between letters', `a${' '.repeat(2_000)}`.repeat(200)],
    ['fences', '```\n'.repeat(60_000)],
    ['table rows', '|'.repeat(200_000)],
    ['headings', '## a\n'.repeat(40_000)],
    ['open brackets', '「（'.repeat(100_000)],
    ['full stops', '.'.repeat(300_000)],
  ])('%s without an end cost bounded time', async (_, hostile) => {
    const started = performance.now();
    await cut(settings, { text: hostile, headings: findMarkdownHeadings(hostile) });
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

/** Whether a well-formed pair stands across the place. */
function splitsPair(whole: string, at: number): boolean {
  return /[\ud800-\udbff]/.test(whole.charAt(at - 1)) && /[\udc00-\udfff]/.test(whole.charAt(at));
}
