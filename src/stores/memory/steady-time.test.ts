import { expect, test } from 'bun:test';
import { createSteadyTime } from './steady-time.ts';

const HOUR_MS = 3_600_000;

function setUp() {
  const clock = { wall: 10 * HOUR_MS, monotonic: 5, nowMs: () => clock.wall, monotonicMs: () => clock.monotonic };
  const steadyMs = createSteadyTime(clock);
  const pass = (ms: number): number => {
    clock.wall += ms;
    clock.monotonic += ms;
    return steadyMs();
  };
  return { clock, pass };
}

test('goes with the wall clock while that goes right', () => {
  const { pass } = setUp();
  expect(pass(0)).toBe(10 * HOUR_MS);
  expect(pass(1_234)).toBe(10 * HOUR_MS + 1_234);
});

test.each([HOUR_MS, -HOUR_MS])(
  'fault 12: a wall clock that jumps by %d ms is followed by a tenth, never backwards',
  (jump) => {
    const { clock, pass } = setUp();
    const before = pass(0);
    clock.wall += jump;
    expect(pass(0)).toBe(before);
    const later = pass(60_000);
    expect(later - before).toBe(60_000 + Math.sign(jump) * 6_000);
    for (let minutes = 0, last = later; minutes < 600; minutes++) {
      const next = pass(60_000);
      expect(next).toBeGreaterThan(last);
      last = next;
    }
    expect(pass(0)).toBe(clock.wall);
  },
);
