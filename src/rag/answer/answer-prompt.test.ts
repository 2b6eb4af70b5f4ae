import { expect, test } from 'bun:test';
import type { Hit } from '../../spec/document.ts';
import { answerPrompt } from './answer-prompt.ts';

const hit: Hit = {
  documentId: 'castle',
  chunkId: 'castle@1#0',
  start: 0,
  end: 21,
  title: 'Castle',
  headingPath: ['Castle', 'How do I open the gate?'],
  content: 'Turn the wheel twice.',
  score: 1,
  metadata: {},
};

const asked = {
  collection: 'castles',
  question: 'How do I open the gate?',
  history: [],
  language: 'en' as const,
  template: null,
  canary: 'k7f3a90c2d1e',
  nowMs: 0,
};

test('passages travel with the headings that they stand under, where there are any', () => {
  const bare = { ...hit, chunkId: 'castle@1#1', headingPath: [], title: '' };
  expect(answerPrompt({ ...asked, passages: [hit, bare] }).passages).toEqual([
    {
      id: 'castle@1#0',
      title: 'Castle',
      headings: ['Castle', 'How do I open the gate?'],
      content: 'Turn the wheel twice.',
    },
    { id: 'castle@1#1', content: 'Turn the wheel twice.' },
  ]);
});
