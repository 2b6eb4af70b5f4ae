import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { readStream } from '../support/read-stream.ts';
import { startStage, type Stage } from '../support/stage.ts';

const EN =
  'The barrier at Hakone was founded in 1619. It guarded the road between Edo and Kyoto. ' +
  'Travellers had to show a letter of passage to the officers at the gate.';
const JA =
  '箱根の関所は1619年に設けられました。江戸と京都を結ぶ街道を守っていました。' +
  '旅人は関所の役人に通行手形を見せなければなりませんでした。';
const QUESTIONS = [
  { name: 'English', question: 'When was the barrier at Hakone founded?', document: 'hakone-en', text: EN },
  { name: 'Japanese', question: '箱根の関所はいつ設けられましたか。', document: 'hakone-ja', text: JA },
];

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
  const indexed = await stage.post('/v1/index', {
    collection_name: 'gates',
    documents: [
      { id: 'hakone-en', content: EN, metadata: { language: 'en' } },
      { id: 'hakone-ja', content: JA, metadata: { language: 'ja' } },
    ],
  });
  expect(indexed.status).toBeLessThan(300);
  await eventually('the collection is a model', async () => {
    const names: string[] = [];
    for await (const model of stage.openai.models.list()) names.push(model.id);
    return names.includes('rag/gates');
  });
});
afterAll(() => stage.stop());

describe.each(QUESTIONS)('rag/gates from the openai SDK, $name', ({ question, document, text }) => {
  const messages = [{ role: 'user' as const, content: question }];

  test('answers from the documents, with annotations that point into them', async () => {
    const answer = await eventually('the documents are indexed', async () => {
      const got = await stage.openai.chat.completions.create({ model: 'rag/gates', messages });
      return (got.choices[0]?.message.content ?? '').includes('1619') && got;
    });
    const message = answer.choices[0]?.message;
    expect(answer.choices[0]?.finish_reason).toBe('stop');
    const citations = citationsIn(message?.annotations ?? []);
    expect(citations.length).toBeGreaterThan(0);
    for (const citation of citations) {
      const { document_id: id, start, end, sentence } = citation;
      const stored = id === 'hakone-en' ? EN : JA;
      expect(stored.slice(Number(start), Number(end))).toBe(String(sentence));
    }
    expect(citations.some((citation) => citation['document_id'] === document)).toBe(true);
    expect(text).toContain('1619');
  });

  test('streams the same answer, with the annotations in it', async () => {
    const plain = await stage.openai.chat.completions.create({ model: 'rag/gates', messages });
    const seen = await readStream(
      await stage.post('/v1/chat/completions', { model: 'rag/gates', messages, stream: true }),
    );
    const deltas = seen.data.flatMap((each) => {
      const choices = isJsonObject(each) && Array.isArray(each['choices']) ? each['choices'] : [];
      const choice = choices[0];
      return isJsonObject(choice) && isJsonObject(choice['delta']) ? [choice['delta']] : [];
    });
    expect(deltas.map((delta) => delta['content'] ?? '').join('')).toBe(plain.choices[0]?.message.content ?? '');
    const annotations = deltas.flatMap((delta) => (Array.isArray(delta['annotations']) ? delta['annotations'] : []));
    expect(citationsIn(annotations)).toEqual(citationsIn(plain.choices[0]?.message.annotations ?? []));
    expect(seen.text.endsWith('data: [DONE]\n\n')).toBe(true);
  });
});

/** The citations in a list of annotations, wherever in the annotation they stand. */
function citationsIn(annotations: readonly unknown[]): JsonObject[] {
  return annotations.flatMap((annotation) => {
    if (!isJsonObject(annotation)) return [];
    const inside = Object.values(annotation).filter(isJsonObject);
    return [annotation, ...inside].filter((each) => typeof each['document_id'] === 'string');
  });
}
