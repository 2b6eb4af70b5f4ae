import { describe, expect, test } from 'bun:test';
import { decodeCitation } from './citations.ts';

const passages = [{ id: 'd1', title: 'Gate', content: 'At Hakone the gate is open.' }];
const cited = { text: 'the gate is open', sources: [{ type: 'document', id: 'd1' }] };
const passage = { document_id: 'd1', start: 10, end: 26, sentence: 'the gate is open', title: 'Gate' };

describe('where the answer says it', () => {
  test('counted in UTF-16 code units', () => {
    const answered = '🏯 the gate is open';
    expect(decodeCitation({ ...cited, start: 3, end: 19 }, { passages, answered })).toEqual([
      { ...passage, answer_start: 3, answer_end: 19 },
    ]);
  });

  test('counted in characters', () => {
    const answered = '🏯 the gate is open';
    expect(decodeCitation({ ...cited, start: 2, end: 18 }, { passages, answered })).toEqual([
      { ...passage, answer_start: 3, answer_end: 19 },
    ]);
  });

  test.each([
    ['words that do not stand there', { start: 5, end: 9 }],
    ['a place that is none', { start: 9, end: 3 }],
    ['a place in the plan', { start: 3, end: 19, type: 'PLAN' }],
    ['no place', {}],
  ])('is not told for %s', (_, place) => {
    const answered = '🏯 the gate is open';
    expect(decodeCitation({ ...cited, ...place }, { passages, answered })).toEqual([passage]);
  });
});

describe('the document', () => {
  const answered = 'the gate is open';

  test('is found by either of its ids', () => {
    const sources = [{ type: 'document', id: 'doc:0', document: { id: 'd1' } }];
    expect(decodeCitation({ ...cited, sources }, { passages, answered })).toEqual([passage]);
  });

  test('is cited whole where it has other words', () => {
    const [citation] = decodeCitation({ ...cited, text: 'it is open' }, { passages, answered });
    expect(citation).toMatchObject({ start: 0, end: 27, sentence: 'At Hakone the gate is open.' });
  });

  test('that nobody sent is no citation, nor is the result of a tool', () => {
    const sources = [{ type: 'document', id: 'other' }, { type: 'tool', id: 'f:0' }, 'd1'];
    expect(decodeCitation({ ...cited, sources }, { passages, answered })).toEqual([]);
    expect(decodeCitation({ text: 'x' }, { passages, answered })).toEqual([]);
  });
});
