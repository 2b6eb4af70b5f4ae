import { describe, expect, test } from 'bun:test';
import { gather } from './gather.ts';

describe('gather', () => {
  const counting = (most: number) => {
    const asked: number[][] = [];
    const double = gather<number, number>(most, (keys) => {
      asked.push([...keys]);
      return keys.includes(13) ? Promise.reject(new Error('13')) : Promise.resolve(keys.map((key) => key * 2));
    });
    return { asked, double };
  };

  test('questions of one turn become one, each gets its own answer', async () => {
    const { asked, double } = counting(10);
    expect(await Promise.all([double(1), double(2), double(3)])).toEqual([2, 4, 6]);
    expect(await double(4)).toBe(8);
    expect(asked).toEqual([[1, 2, 3], [4]]);
  });

  test('more than the most go in several, and only the askers of a failed one are refused', async () => {
    const { asked, double } = counting(2);
    const outcomes = await Promise.allSettled([1, 2, 13, 4, 5].map(double));
    expect(asked).toEqual([[1, 2], [13, 4], [5]]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ]);
  });

  test('an answer of another length refuses everyone', async () => {
    const broken = gather<number, number>(10, () => Promise.resolve([1]));
    const outcomes = await Promise.allSettled([broken(1), broken(2)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
