import { describe, expect, test } from 'bun:test';
import { createManualTime } from '../../test/support/manual-time.ts';
import { orderedPlan, PATIENT, planOf, targetOf } from '../../test/support/routing-plan.ts';
import { SekishoError, type ErrorCode } from '../spec/errors.ts';
import { createAttempts, type AttemptRun } from './attempt.ts';
import type { BreakerPolicy } from './catalogue.ts';
import type { Plan } from './routing/plan.ts';
import { createTargetHealth } from './routing/target-health.ts';
import { createTargetQueues } from './routing/target-queues.ts';

type Step = ErrorCode | 'ok' | SekishoError;

/** Attempts over targets that answer as a script says: an error fails, `ok` answers with the target's key. */
function createStage(options: { breaker?: BreakerPolicy; retryShare?: number } = {}) {
  const time = createManualTime();
  const called: string[] = [];
  const failed: string[] = [];
  const queues = createTargetQueues({ sleep: time.sleep });
  const health = createTargetHealth({ policy: () => options.breaker ?? PATIENT, clock: time.clock });
  const attempts = createAttempts({
    health,
    queues,
    clock: time.clock,
    sleep: time.sleep,
    random: () => 0.5,
    retryShare: () => options.retryShare ?? 1,
    onFailed: (_, { target, error }) => failed.push(`${target}: ${error.code}`),
  });
  const run = async (plan: Plan, script: Step[], more: Partial<AttemptRun<string>> = {}) => {
    const running = attempts
      .run<string>({
        plan,
        signal: new AbortController().signal,
        origin: undefined,
        call: async (target) => {
          called.push(target.key);
          const next = script.shift() ?? 'ok';
          if (next === 'ok') return target.key;
          throw next instanceof SekishoError ? next : new SekishoError(next);
        },
        ...more,
      })
      .then(
        (outcome) => {
          outcome.release();
          return { value: outcome.value, attempts: outcome.attempts };
        },
        (thrown: unknown) => ({ code: thrown instanceof SekishoError ? thrown.code : 'internal', thrown }),
      );
    await time.pass(60_000);
    return { ...(await running), called, slept: time.slept };
  };
  return { run, health, queues, time, called, failed, attempts };
}

const limited = (retryAfterMs: number) => new SekishoError('upstream_rate_limited', { retryAfterMs });

describe('retries', () => {
  test('a failure that may pass is tried again on the same target after a jittered delay', async () => {
    const { run } = createStage();
    expect(await run(orderedPlan(['a', 'b']), ['upstream_failed', 'ok'])).toMatchObject({
      value: 'a',
      attempts: 2,
      called: ['a', 'a'],
      slept: [50],
    });
  });

  test('after its tries the next target answers; retries never multiply', async () => {
    const { run } = createStage();
    const script: Step[] = Array.from({ length: 4 }, () => 'upstream_failed' as const);
    expect(await run(orderedPlan(['a', 'b']), script)).toMatchObject({
      code: 'upstream_failed',
      called: ['a', 'a', 'b', 'b'],
    });
  });

  test('a call ends after ten attempts whatever its plan says', async () => {
    const { run, called } = createStage();
    const names = ['a', 'b', 'c', 'd'];
    const script: Step[] = Array.from({ length: 40 }, () => 'upstream_failed' as const);
    await run(orderedPlan(names, { retry: { attempts: 10, baseDelayMs: 1, maxDelayMs: 1 } }), script);
    expect(called).toHaveLength(10);
  });

  test('a Retry-After is waited for, and one beyond the longest delay falls back at once', async () => {
    const { run } = createStage();
    expect(await run(orderedPlan(['a', 'b']), [limited(900), 'ok'])).toMatchObject({
      called: ['a', 'a'],
      slept: [900],
    });
    expect(await createStage().run(orderedPlan(['a', 'b']), [limited(60_000), 'ok'])).toMatchObject({
      called: ['a', 'b'],
      slept: [],
    });
  });

  test('without any share of the calls nothing is tried again', async () => {
    const { run } = createStage({ retryShare: 0 });
    expect(await run(orderedPlan(['a', 'b']), ['upstream_failed', 'ok'])).toMatchObject({ called: ['a', 'b'] });
  });

  test('a fleet is tried at another place at once, as often as the target may be tried', async () => {
    const places = ['http://1', 'http://2', 'http://3'].map((origin) => targetOf('m', { origin }));
    const plan = planOf([{ strategy: 'ordered', targets: [...places, targetOf('spare')] }]);
    const { run, called, time } = createStage();
    const script: Step[] = ['upstream_unreachable', 'upstream_unreachable', 'ok'];
    expect(await run(plan, script)).toMatchObject({ value: 'spare', attempts: 3 });
    expect(new Set(called.slice(0, 2)).size).toBe(2);
    expect(called.slice(0, 2).every((key) => key.startsWith('m@'))).toBe(true);
    expect(time.slept).toEqual([]);
  });
});

describe('fallback', () => {
  test.each([
    'upstream_timeout',
    'upstream_credential',
    'upstream_not_found',
    'context_too_long',
    'content_refused',
    'unsupported_parameter',
  ] as const)('%s moves on to the next target without another try', async (code) => {
    expect(await createStage().run(orderedPlan(['a', 'b']), [code, 'ok'])).toMatchObject({
      value: 'b',
      called: ['a', 'b'],
      slept: [],
    });
  });

  test.each(['upstream_rejected', 'internal', 'invalid_request'] as const)('%s ends the call', async (code) => {
    expect(await createStage().run(orderedPlan(['a', 'b']), [code])).toMatchObject({ code, called: ['a'] });
  });

  test('only the failures that the plan names go to the next target', async () => {
    const plan = orderedPlan(['a', 'b'], { fallbackOn: new Set(['timeout'] as const) });
    expect(await createStage().run(plan, ['upstream_credential'])).toMatchObject({
      code: 'upstream_credential',
      called: ['a'],
    });
    expect(await createStage().run(plan, ['upstream_timeout', 'ok'])).toMatchObject({ value: 'b' });
  });

  test('a prompt that does not fit goes to a larger window only', async () => {
    const targets = [
      targetOf('small', { contextTokens: 8_000 }),
      targetOf('same', { contextTokens: 8_000 }),
      targetOf('large', { contextTokens: 128_000 }),
    ];
    expect(
      await createStage().run(planOf([{ strategy: 'ordered', targets }]), ['context_too_long', 'ok']),
    ).toMatchObject({ value: 'large', called: ['small', 'large'] });
  });

  test('the next group has its turn when the first one is used up', async () => {
    const plan = planOf([
      { strategy: 'least-busy', targets: [targetOf('a'), targetOf('b')] },
      { strategy: 'ordered', targets: [targetOf('c')] },
    ]);
    expect(await createStage().run(plan, ['upstream_timeout', 'upstream_timeout', 'ok'])).toMatchObject({
      called: ['a', 'b', 'c'],
    });
  });

  test('a target whose own limits are used up is passed over without a call', async () => {
    const admitTarget = ({ name }: { name: string }) =>
      name === 'a' ? Promise.reject(new SekishoError('rate_limited')) : Promise.resolve(undefined);
    expect(await createStage().run(orderedPlan(['a', 'b']), [], { admitTarget })).toMatchObject({
      value: 'b',
      attempts: 1,
      called: ['b'],
    });
    expect(await createStage().run(orderedPlan(['a']), [], { admitTarget })).toMatchObject({ code: 'rate_limited' });
  });

  test('what the limits of a target gave for a failed attempt is given back', async () => {
    const settled: object[] = [];
    const settle = (used: object): Promise<void> => {
      settled.push(used);
      return Promise.resolve();
    };
    const admitTarget = () => Promise.resolve({ settle });
    await createStage().run(orderedPlan(['a', 'b']), ['upstream_timeout', 'ok'], { admitTarget });
    expect(settled).toEqual([{ tokens: 0, costMicros: 0 }]);
  });
});

describe('ill targets', () => {
  const BREAKER = { failureShare: 0.5, minimumCalls: 2, windowMs: 10_000, openMs: 5_000 };

  test('an open breaker is passed over while another target is well, until its time for a probe has come', async () => {
    const { attempts, time, called } = createStage({ breaker: BREAKER });
    const ask = async (first: Step): Promise<void> => {
      const call = async (target: { name: string }): Promise<string> => {
        called.push(target.name);
        if (target.name === 'a' && first !== 'ok') throw new SekishoError('upstream_timeout');
        return target.name;
      };
      const signal = new AbortController().signal;
      (await attempts.run({ plan: orderedPlan(['a', 'b']), signal, origin: undefined, call })).release();
    };
    await ask('upstream_timeout');
    await ask('upstream_timeout');
    expect(called).toEqual(['a', 'b', 'a', 'b']);
    await ask('ok');
    expect(called.slice(4)).toEqual(['b']);
    await time.pass(5_000);
    await ask('ok');
    await ask('ok');
    expect(called.slice(5)).toEqual(['a', 'a']);
  });

  test('when all are ill the call fails fast with the time of the next probe', async () => {
    const stage = createStage({ breaker: BREAKER });
    const { attempts, called } = stage;
    const call = (): Promise<string> => {
      called.push('a');
      return Promise.reject(new SekishoError('upstream_failed'));
    };
    const plan = orderedPlan(['a'], { retry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 10 } });
    const ask = () =>
      attempts.run({ plan, signal: new AbortController().signal, origin: undefined, call }).then(
        () => undefined,
        (thrown: unknown) => (thrown instanceof SekishoError ? thrown : undefined),
      );
    await ask();
    await ask();
    const refused = await ask();
    expect(refused).toMatchObject({ code: 'no_healthy_target', status: 503, retryAfterMs: 5_000 });
    expect(called).toHaveLength(2);
    await stage.time.pass(5_000);
    expect((await ask())?.code).toBe('upstream_failed');
    expect(called).toHaveLength(3);
    expect((await ask())?.code).toBe('no_healthy_target');
  });

  test('a target that asked to be left alone is passed over by others, and called where nothing else is left', async () => {
    const stage = createStage();
    const { attempts, called, health } = stage;
    const never = new AbortController().signal;
    let next: Step = limited(60_000);
    const call = async (target: { name: string }): Promise<string> => {
      called.push(target.name);
      if (next === 'ok') return target.name;
      const error = next;
      next = 'ok';
      throw error;
    };
    await attempts.run({ plan: orderedPlan(['a', 'b']), signal: never, origin: undefined, call });
    await attempts.run({ plan: orderedPlan(['a', 'b']), signal: never, origin: undefined, call });
    expect(called).toEqual(['a', 'b', 'b']);
    expect(health.standing(targetOf('a'))).toBe('evicted');
    await attempts.run({ plan: orderedPlan(['a']), signal: never, origin: undefined, call });
    expect(called).toEqual(['a', 'b', 'b', 'a']);
    await stage.time.pass(60_000);
    await attempts.run({ plan: orderedPlan(['a', 'b']), signal: never, origin: undefined, call });
    expect(called.at(-1)).toBe('a');
  });
});

describe('callers who leave', () => {
  test('a caller who has left before ends the attempts', async () => {
    const { run } = createStage();
    expect(await run(orderedPlan(['a']), [], { signal: AbortSignal.abort() })).toMatchObject({
      code: 'caller_left',
      called: [],
    });
  });

  test('a caller who leaves during the wait before a retry gets nothing more', async () => {
    const stage = createStage();
    const controller = new AbortController();
    const running = stage.run(orderedPlan(['a', 'b']), [limited(900), 'ok'], { signal: controller.signal });
    controller.abort();
    expect(await running).toMatchObject({ code: 'caller_left', called: ['a'] });
    expect(stage.health.snapshot()).toMatchObject([{ target: 'a', inFlight: 0 }]);
  });

  test('nothing is held against a target whose caller left', async () => {
    const stage = createStage();
    await stage.run(orderedPlan(['a']), ['caller_left']);
    expect(stage.health.snapshot()).toMatchObject([{ failureShare: 0, inFlight: 0 }]);
    expect(stage.failed).toEqual([]);
  });
});

test('the place of a call is held until the end of its answer and given back once', async () => {
  const { attempts, health } = createStage();
  const target = targetOf('a');
  const outcome = await attempts.run({
    plan: orderedPlan(['a']),
    signal: new AbortController().signal,
    origin: undefined,
    call: () => Promise.resolve('begun'),
  });
  expect(health.inFlight(target)).toBe(1);
  outcome.release();
  outcome.release(new SekishoError('upstream_broken'));
  expect(health.inFlight(target)).toBe(0);
  expect(health.snapshot()).toMatchObject([{ failureShare: 0 }]);
});

test('an answer that breaks off midway counts as a failure', async () => {
  const { attempts, health } = createStage();
  const outcome = await attempts.run({
    plan: orderedPlan(['a']),
    signal: new AbortController().signal,
    origin: undefined,
    call: () => Promise.resolve('begun'),
  });
  outcome.release(new SekishoError('upstream_broken'));
  expect(health.snapshot()).toMatchObject([{ failureShare: 1, inFlight: 0, lastError: 'upstream_broken' }]);
});
