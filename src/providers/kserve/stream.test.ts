import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../lib/json.ts';
import { createOutcome } from './outcome.ts';
import { createTextDecoder } from './stream.ts';

const decoder = (tellsReason: boolean) =>
  createTextDecoder({ target: 't', model: 'm', id: 'k1', nowMs: () => 7, tellsReason });
const TOLD: JsonObject[] = [
  { text_output: 'a', finish_reason: 'None', num_input_tokens: 5, num_output_tokens: 2 },
  { text_output: 'b', finish_reason: 'length', num_input_tokens: 5, num_output_tokens: 3 },
];

describe('a model that tells its reason', () => {
  test('ends with it, and with the sum of what its pieces counted', () => {
    const one = decoder(true);
    const parts = TOLD.flatMap((event) => one.decode(event)).concat(one.decode({}, 'end'));
    expect(parts.filter(({ type }) => type === 'finish')).toEqual([{ type: 'finish', finish: 'length' }]);
    expect(parts.findLast(({ type }) => type === 'usage')).toMatchObject({
      usage: { inputTokens: 5, outputTokens: 5, basis: 'reported' },
    });
  });

  test('is not done when the body ends before it', () => {
    const one = decoder(true);
    const parts = TOLD.slice(0, 1)
      .flatMap((event) => one.decode(event))
      .concat(one.decode({}, 'end'));
    expect(parts.some(({ type }) => type === 'finish')).toBe(false);
  });
});

test('one that does not is done when the body ends', () => {
  const one = decoder(false);
  one.decode({ text_output: 'a' });
  expect(one.decode({}, 'end')).toEqual([{ type: 'finish', finish: 'stop' }]);
});

test('what is told is read from lists too; half of the counts are none', () => {
  const outcome = createOutcome();
  outcome.add({ finish_reason: ['abort'], num_input_tokens: [5] });
  expect(outcome.finish).toBe('other');
  expect(outcome.usage).toBeUndefined();
  outcome.add({ num_output_tokens: [2] });
  expect(outcome.usage).toMatchObject({ inputTokens: 5, outputTokens: 2 });
});
