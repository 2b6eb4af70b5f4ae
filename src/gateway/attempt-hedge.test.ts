import { describe, expect, test } from 'bun:test';
import { createManualTime } from '../../test/support/manual-time.ts';
import { orderedPlan, PATIENT, planOf, targetOf } from '../../test/support/routing-plan.ts';
import { SekishoError, type ErrorCode } from '../spec/errors.ts';
import { createAttempts } from './attempt.ts';
import type { Plan } from './routing/plan.ts';
import { createTargetHealth } from './routing/target-health.ts';
import { createTargetQueues } from './routing/target-queues.ts';

const HEDGE = { afterMs: 100, maxShare: 1 };

/** What a target does: begin after so many milliseconds, or fail after them. */
type Behaviour = { afterMs: number; error?: ErrorCode; deaf?: true };

function createStage(behaviours: Record<string, Behaviour>) {
  const time = createManualTime();
  const called: string[] = [];
  const aborted: string[] = [];
  const discarded: string[] = [];
  const hedged: string[] = [];
  const failed: string[] = [];
  const health = createTargetHealth({ policy: () => PATIENT, clock: time.clock });
  const attempts = createAttempts({
    health,
    queues: createTargetQueues({ sleep: time.sleep }),
    clock: time.clock,
    sleep: time.sleep,
    random: () => 0.5,
    retryShare: () => 1,
    onFailed: (_, { target }) => failed.push(target),
    onHedged: (_, target) => hedged.push(target),
  });
  const never = new AbortController().signal;
  const signals: AbortSignal[] = [];
  const run = (plan: Plan, signal = never) =>
    attempts.run<string>({
      plan,
      signal,
      origin: undefined,
      discard: (value) => discarded.push(value),
      call: async ({ name }, own) => {
        called.push(name);
        signals.push(own);
        const { afterMs, error, deaf } = behaviours[name] ?? { afterMs: 0 };
        own.addEventListener('abort', () => aborted.push(name));
        await time.sleep(afterMs, deaf ? never : own);
        if (error !== undefined) throw new SekishoError(error);
        return name;
      },
    });
  return { run, time, called, aborted, discarded, hedged, failed, health, signals };
}

const plan = (names: string[], more: Partial<Plan> = {}): Plan => orderedPlan(names, { hedge: HEDGE, ...more });

describe('hedged calls', () => {
  test('a first target that begins in time is the only one asked', async () => {
    const stage = createStage({ a: { afterMs: 99 } });
    const running = stage.run(plan(['a', 'b']));
    await stage.time.pass(1_000);
    expect(await running).toMatchObject({ value: 'a', attempts: 1 });
    expect(stage.called).toEqual(['a']);
    expect(stage.hedged).toEqual([]);
  });

  test('while the first is slow a second is asked; the first to begin wins and the other is aborted', async () => {
    const stage = createStage({ a: { afterMs: 5_000 }, b: { afterMs: 50 } });
    const running = stage.run(plan(['a', 'b', 'c']));
    await stage.time.pass(150);
    const outcome = await running;
    expect(outcome).toMatchObject({ value: 'b', attempts: 2, target: { name: 'b' } });
    expect(stage).toMatchObject({ called: ['a', 'b'], hedged: ['b'], aborted: ['a'], discarded: [], failed: [] });
    expect(stage.health.inFlight(targetOf('a'))).toBe(0);
    expect(stage.health.inFlight(targetOf('b'))).toBe(1);
    // Who was outpaced is known to be slower than the time it had.
    expect(stage.health.snapshot()).toMatchObject([
      { target: 'a', ewmaMs: 150, failureShare: 0 },
      { target: 'b', ewmaMs: 50 },
    ]);
    outcome.release();
    expect(stage.health.inFlight(targetOf('b'))).toBe(0);
  });

  test('the first may still win', async () => {
    const stage = createStage({ a: { afterMs: 120 }, b: { afterMs: 50 } });
    const running = stage.run(plan(['a', 'b']));
    await stage.time.pass(130);
    expect(await running).toMatchObject({ value: 'a', attempts: 2 });
    expect(stage.aborted).toEqual(['b']);
  });

  test('an answer that comes although it was aborted is discarded', async () => {
    const stage = createStage({ a: { afterMs: 200, deaf: true }, b: { afterMs: 50 } });
    const running = stage.run(plan(['a', 'b']));
    await stage.time.pass(1_000);
    expect(await running).toMatchObject({ value: 'b' });
    expect(stage.discarded).toEqual(['a']);
    expect(stage.health.inFlight(targetOf('a'))).toBe(0);
  });

  test('when one fails the other is waited for', async () => {
    const stage = createStage({ a: { afterMs: 500 }, b: { afterMs: 10, error: 'upstream_failed' } });
    const running = stage.run(plan(['a', 'b']));
    await stage.time.pass(1_000);
    expect(await running).toMatchObject({ value: 'a', attempts: 2 });
    expect(stage.failed).toEqual(['b']);
  });

  test('when both fail the call goes on to the next target', async () => {
    const stage = createStage({
      a: { afterMs: 500, error: 'upstream_timeout' },
      b: { afterMs: 10, error: 'upstream_timeout' },
    });
    const running = stage.run(plan(['a', 'b', 'c']));
    await stage.time.pass(1_000);
    expect(await running).toMatchObject({ value: 'c', attempts: 3 });
  });

  test('a plan with one target is never hedged', async () => {
    const stage = createStage({ a: { afterMs: 5_000 } });
    const running = stage.run(plan(['a']));
    await stage.time.pass(6_000);
    expect(await running).toMatchObject({ value: 'a', attempts: 1 });
  });

  test('another place of the same fleet may be the second, however few tries the target has', async () => {
    const stage = createStage({ m: { afterMs: 5_000 } });
    const places = ['http://1', 'http://2'].map((origin) => targetOf('m', { origin }));
    const retry = { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 };
    const running = stage.run(planOf([{ strategy: 'ordered', targets: places }], { hedge: HEDGE, retry }));
    await stage.time.pass(6_000);
    expect(await running).toMatchObject({ value: 'm', attempts: 2 });
  });

  test('no more than the share of calls is hedged', async () => {
    const stage = createStage({ a: { afterMs: 5_000 }, b: { afterMs: 1 } });
    const runs = Array.from({ length: 100 }, () =>
      stage.run(plan(['a', 'b'], { hedge: { afterMs: 100, maxShare: 0.05 } })),
    );
    await stage.time.pass(6_000);
    await Promise.all(runs);
    expect(stage.hedged).toHaveLength(5);
    expect(stage.called).toHaveLength(105);
  });

  test('a caller who leaves takes both with it', async () => {
    const stage = createStage({ a: { afterMs: 5_000 }, b: { afterMs: 5_000 } });
    const controller = new AbortController();
    const running = stage.run(plan(['a', 'b']), controller.signal).catch((thrown: unknown) => thrown);
    await stage.time.pass(200);
    controller.abort();
    expect(await running).toMatchObject({ code: 'caller_left' });
    expect(stage.aborted.sort()).toEqual(['a', 'b']);
    expect(stage.health.snapshot().map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  test('a caller who leaves midway aborts the winner, until its answer has ended', async () => {
    const stage = createStage({ a: { afterMs: 5_000 }, b: { afterMs: 1 } });
    const controller = new AbortController();
    const running = stage.run(plan(['a', 'b']), controller.signal);
    await stage.time.pass(200);
    const outcome = await running;
    expect(stage.aborted).toEqual(['a']);
    controller.abort();
    expect(stage.aborted).toEqual(['a', 'b']);
    outcome.release();
  });
});
