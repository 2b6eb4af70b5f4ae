import { describe, expect, test } from 'bun:test';
import type { Invalidation } from '../gateway/cache/cache-admin.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import { answerTags } from './answer-tags.ts';
import { createForgetAnswers } from './forget-answers.ts';

function stage(fails: (selection: Invalidation) => boolean = () => false) {
  const forgotten: Invalidation[] = [];
  const problems: unknown[] = [];
  const forget = createForgetAnswers({
    cache: {
      invalidate: async (tenantId, selection) => {
        expect(tenantId).toBe(DEFAULT_TENANT);
        forgotten.push(selection);
        if (fails(selection)) throw new Error('the store is down');
        return 1;
      },
    },
    onProblem: (error) => problems.push(error),
  });
  return { forget, forgotten, problems };
}

describe('forgetting answers', () => {
  test('names each document and nothing that another answer carries', async () => {
    const { forget, forgotten } = stage();
    await forget(DEFAULT_TENANT, 'town', ['a', 'b']);
    const tags = forgotten.map((selection) => 'tag' in selection && selection.tag);
    const carries = (collection: string, documentId: string): boolean[] =>
      tags.map((tag) => answerTags(collection, [{ documentId }]).includes(String(tag)));
    expect(carries('town', 'a')).toEqual([true, false, false]);
    expect(carries('town', 'b')).toEqual([false, true, false]);
    expect(carries('town', 'ab')).toEqual([false, false, false]);
    expect(carries('village', 'a')).toEqual([false, false, false]);
    // And those that the documents do not say: they may do so now.
    expect(forgotten.at(-1)).toEqual({ tag: 'collection:town/unanswered' });
  });

  test('a whole collection is one tag, which all of its answers carry', async () => {
    const { forget, forgotten } = stage();
    await forget(DEFAULT_TENANT, 'town', 'all');
    expect(forgotten).toEqual([{ tag: 'collection:town' }]);
    expect(answerTags('town', [])).toEqual(['collection:town']);
  });

  test('documents that are new take along answers to questions, and no answers of models', async () => {
    const { forget, forgotten } = stage();
    await forget(DEFAULT_TENANT, 'town', 'new');
    expect(forgotten).toEqual([{ tag: 'collection:town/answers' }]);
    expect(answerTags('town', [{ documentId: 'a' }])).not.toContain('collection:town/answers');
  });

  test('a store that is down is told of once, and every document is named all the same', async () => {
    const { forget, forgotten, problems } = stage((selection) => 'tag' in selection && /[37]$/.test(selection.tag));
    await forget(
      DEFAULT_TENANT,
      'town',
      Array.from({ length: 250 }, (_, at) => `${at}`),
    );
    expect(forgotten).toHaveLength(251);
    expect(problems).toEqual([new Error('the store is down')]);
  });
});

test('a document that an answer uses twice is named once, and its id alone names it too', () => {
  expect(answerTags('town', [{ documentId: 'a' }, { documentId: 'b' }, { documentId: 'a' }])).toEqual([
    'collection:town',
    'document:a',
    'collection:town/document:a',
    'document:b',
    'collection:town/document:b',
  ]);
});
