import { describe, expect, test } from 'bun:test';
import { pairedBootstrap } from './paired-bootstrap.ts';

describe('paired bootstrap', () => {
  test('no difference has no interval', async () => {
    expect(await pairedBootstrap([0, 0, 0, 0])).toEqual({ mean: 0, low: 0, high: 0 });
    expect(await pairedBootstrap([])).toEqual({ mean: 0, low: 0, high: 0 });
  });

  test('the same differences give the same interval, with the mean inside', async () => {
    const differences = Array.from({ length: 80 }, (_, at) => Math.sin(at * 12.9898));
    const first = await pairedBootstrap(differences);
    expect(await pairedBootstrap(differences)).toEqual(first);
    expect(first.low).toBeLessThan(first.mean);
    expect(first.high).toBeGreaterThan(first.mean);
  });

  test('is about as wide as the normal approximation, and narrows with more cases', async () => {
    const width = async (count: number): Promise<number> => {
      const values = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? 1 : -1));
      const { low, high } = await pairedBootstrap(values);
      return high - low;
    };
    // Standard deviation 1: 2 · 1.96 / √n.
    expect(await width(100)).toBeCloseTo(3.92 / 10, 1);
    expect(await width(2_500)).toBeCloseTo(3.92 / 50, 2);
  });

  test('a clear gain lies above zero, noise does not', async () => {
    const gain = Array.from({ length: 60 }, (_, at) => (at % 3 === 0 ? 0 : 0.5));
    expect((await pairedBootstrap(gain)).low).toBeGreaterThan(0.2);
    const noise = Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? 0.5 : -0.5));
    const { low, high } = await pairedBootstrap(noise);
    expect(low < 0 && high > 0).toBe(true);
  });

  test('ten thousand cases do not hold up the event loop', async () => {
    let longest = 0;
    let last = performance.now();
    const ticks = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await pairedBootstrap(Array.from({ length: 10_000 }, (_, at) => at % 7));
    clearInterval(ticks);
    expect(longest).toBeLessThan(100);
  });
});
