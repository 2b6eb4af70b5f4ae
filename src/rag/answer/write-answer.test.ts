import { describe, expect, test } from 'bun:test';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { Hit } from '../../spec/document.ts';
import { createAnswerWriter, type AnswerWriterDeps } from './write-answer.ts';

const CONTENT = 'The harbour closes at nine. Boats wait outside until morning. 港は九時に閉まります。';
const PASSAGE: Hit = {
  documentId: 'doc',
  chunkId: 'doc#0',
  start: 100,
  end: 100 + CONTENT.length,
  content: CONTENT,
  title: 'Harbour',
  headingPath: [],
  score: 1,
  metadata: {},
};
const RIGHT = 'The harbour closes at nine [1].';
const WRONG = 'The harbour closes at ten [1].';
const NAMELESS = 'Whales are seen from the pier on most days.';

async function written(text: string, change: Partial<AnswerWriterDeps> = {}, size = 5) {
  const writer = createAnswerWriter(
    {
      analyser: createTextAnalyser(),
      passages: [PASSAGE],
      policy: 'flag',
      canary: 'mk0123456789abcdef',
      isAllowed: () => false,
      ...change,
    },
    { quotes: false },
  );
  const out: string[] = [];
  for (let at = 0; at < text.length; at += size) out.push(await writer.push(text.slice(at, at + size)));
  const { rest, answer } = await writer.end(undefined);
  expect(out.join('') + rest).toBe(answer.text);
  return { out, answer };
}

describe('sentences are judged', () => {
  test('each with its verdict, its reasons and its citations', async () => {
    const { answer } = await written(`${RIGHT} ${WRONG} ${NAMELESS} See [7] for more of the harbour.`);
    expect(answer.verification.sentences.map(({ verdict, reasons }) => [verdict, ...reasons])).toEqual([
      ['supported'],
      ['unsupported', 'number'],
      ['uncited'],
      ['unsupported', 'no_passage'],
    ]);
    expect(answer.verification.sentences[0]?.citations).toEqual([0]);
    expect(answer.citations).toHaveLength(1);
    const { start = 0, end = 0 } = answer.citations[0] ?? {};
    expect(CONTENT.slice(start - 100, end - 100)).toBe('The harbour closes at nine.');
    expect(answer.verification).toMatchObject({ precision: 1 / 3, coverage: 1 / 4, withheld: 0 });
  });

  test('what states nothing is not judged: questions, words that lead on, and that nothing is said', async () => {
    const text = 'Shall I go on? Here is what I found: The documents do not answer this. 文書には記載がありません。';
    expect((await written(text)).answer.verification).toMatchObject({ sentences: [], coverage: null, precision: null });
  });

  test('where nobody wants to know, citations are there all the same', async () => {
    const { answer } = await written(`${RIGHT} ${WRONG}`, { policy: 'off' });
    expect(answer.verification.sentences).toEqual([]);
    expect(answer.citations).toHaveLength(1);
  });
});

describe('sentences without support are left out', () => {
  test('whole, and the rest stands as if they had never been', async () => {
    const { answer } = await written(`${WRONG} ${RIGHT}\n\n${NAMELESS}\n\nBoats wait outside until morning [1].`, {
      policy: 'withhold',
    });
    expect(answer.text).toBe(`${RIGHT}\n\nBoats wait outside until morning [1].`);
    expect(answer.verification).toMatchObject({ withheld: 2, coverage: 0.5 });
    for (const { answer_start, answer_end, sentence } of answer.citations)
      expect(answer.text.slice(answer_start, answer_end).slice(0, 8)).toBe(sentence.slice(0, 8));
  });

  test('however the stream is cut, also between a sentence and its number', async () => {
    const text = `The harbour closes at nine. [1] ${WRONG} 港は九時に閉まります。[1] 港は十時に閉まります。[1]`;
    for (const size of [1, 2, 3, 7, 1_000]) {
      const { answer } = await written(text, { policy: 'withhold' }, size);
      expect(answer.text).toBe('The harbour closes at nine. [1] 港は九時に閉まります。[1]');
    }
  });

  test('on a stream what is judged goes out before the end, and nothing before it is judged', async () => {
    const { out } = await written(`${RIGHT} ${WRONG} Boats wait outside until morning [1].`, { policy: 'withhold' }, 4);
    const early = out.join('');
    expect(early.startsWith('The harbour closes at nine')).toBe(true);
    expect(early).not.toContain('ten');
  });
});

describe('a judge', () => {
  const LOOSE = 'One must stay at sea during darkness [1].';

  test('decides what words cannot, and nothing else', async () => {
    const asked: string[] = [];
    const judge = async (claim: string): Promise<boolean> => {
      asked.push(claim);
      return true;
    };
    const { answer } = await written(`${LOOSE} ${WRONG}`, { judge });
    expect(asked).toEqual(['One must stay at sea during darkness .']);
    expect(answer.verification.sentences.map(({ verdict }) => verdict)).toEqual(['supported', 'unsupported']);
  });

  test('who is not sure leaves it unsupported', async () => {
    const { answer } = await written(LOOSE, { judge: async () => false });
    expect(answer.verification.sentences).toMatchObject([{ verdict: 'unsupported', reasons: ['meaning'] }]);
  });
});
