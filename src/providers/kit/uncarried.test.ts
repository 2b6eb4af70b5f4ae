import { expect, test } from 'bun:test';
import { SekishoError } from '../../spec/errors.ts';
import { uncarried } from './uncarried.ts';

test('nothing to complain of', () => {
  expect(uncarried({ target: 't' }, [])).toBeUndefined();
});

test('everything is refused by name at once, or left out and reported', () => {
  expect(() => uncarried({ target: 't' }, ['seed', 'top_k'])).toThrow(/seed, top_k/);
  const told: string[] = [];
  uncarried({ target: 't', onUncarried: (names) => void told.push(...names) }, ['seed', 'top_k']);
  expect(told).toEqual(['seed', 'top_k']);
});

test.each([
  'previous_response_id',
  'conversation',
  'prompt',
  'prompt of tokens',
  'more than one prompt',
  'background',
  'input[0] of type item_reference',
])('%s is never left out: the answer would be one to another question', (name) => {
  const told: string[] = [];
  const drop = (): void => uncarried({ target: 't', onUncarried: (names) => void told.push(...names) }, ['seed', name]);
  expect(drop).toThrow(SekishoError);
  expect(told).toEqual([]);
});

test('a name that only begins like one of them may be', () => {
  const told: string[] = [];
  uncarried({ target: 't', onUncarried: (names) => void told.push(...names) }, ['prompt_cache_key']);
  expect(told).toEqual(['prompt_cache_key']);
});
