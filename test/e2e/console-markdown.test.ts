import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { readSse } from '../../console/src/api/read-sse.ts';
import { parseBlocks } from '../../console/src/markdown/blocks.ts';
import { markCitations, withoutMarks } from '../../console/src/markdown/citation-marks.ts';
import { parseInline } from '../../console/src/markdown/inline.ts';

const source = {
  document_id: 'd',
  chunk_id: 'c',
  start: 10,
  end: 40,
  title: '',
  heading_path: [],
  content: '',
  score: 1,
  metadata: {},
};

test('any text parses, and no link leads anywhere but http or https', () => {
  const pieces = fc.constantFrom(
    '*',
    '**',
    '`',
    '[',
    '](',
    ')',
    '![',
    'https://a.b',
    'javascript:',
    '|',
    '\n',
    '- ',
    'あ',
    ' ',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 60 }), (parts) => {
      const found = JSON.stringify(parseBlocks(parts.join('')));
      for (const [, href] of found.matchAll(/"href":"([^"]*)"/g)) expect(href).toMatch(/^https?:/);
    }),
  );
});

test('a long run of opening marks that never close ends as text', () => {
  for (const piece of ['[', '**a', '`', '![a](', '[a](']) {
    expect(parseBlocks(piece.repeat(20_000))).toHaveLength(1);
  }
});

test('plain text is kept letter by letter', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !/[*`[!h\ue000-\uf8ff]/.test(text)),
      (text) => {
        expect(parseInline(text)).toEqual(text === '' ? [] : [{ type: 'text', text }]);
      },
    ),
  );
});

test('a citation is marked behind its sentence, once, and a written [1] becomes the same mark', () => {
  const citation = { document_id: 'd', start: 12, end: 20, sentence: '', answer_start: 0, answer_end: 5 };
  const marked = markCitations('門です。 次', [citation, citation], [source]);
  expect(withoutMarks(marked)).toEqual({ text: '門です。 次', sources: [0] });
  expect(parseInline(marked)[1]).toEqual({ type: 'citation', source: 0 });
  expect(parseInline(markCitations('Yes [1], no [2].', [], [source]))).toEqual([
    { type: 'text', text: 'Yes' },
    { type: 'citation', source: 0 },
    { type: 'text', text: ', no [2].' },
  ]);
});

test('private-use characters of the answer cannot pass for marks', () => {
  expect(withoutMarks(markCitations('\ue100', [], [source])).sources).toEqual([]);
});

test('events arrive whole, however the bytes are cut', async () => {
  const events = [
    { event: 'delta', data: '{"text":"関所"}' },
    { event: 'message', data: 'a\nb' },
  ];
  const bytes = new TextEncoder().encode(
    ': hello\n\nevent: delta\r\ndata: {"text":"関所"}\r\n\r\ndata: a\ndata:b\n\ndata: lost',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 8 }), async (cuts) => {
      const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          for (const [at, edge] of edges.entries()) {
            const piece = bytes.slice(edges[at - 1] ?? 0, edge);
            if (piece.length > 0) controller.enqueue(piece);
          }
          controller.close();
        },
      });
      const found = [];
      for await (const some of readSse(body)) found.push(...some);
      expect(found).toEqual(events);
    }),
  );
});
