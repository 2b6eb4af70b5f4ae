import { describe, expect, test } from 'bun:test';
import { createManualTime } from '../../../test/support/manual-time.ts';
import { BREAKER, PATIENT, targetOf } from '../../../test/support/routing-plan.ts';
import { SekishoError, type ErrorCode } from '../../spec/errors.ts';
import type { BreakerPolicy } from '../catalogue.ts';
import { createTargetHealth, type BreakerState } from './target-health.ts';

function createStage(breaker: BreakerPolicy = BREAKER) {
  const time = createManualTime();
  const changes: [string, BreakerState][] = [];
  let policy = breaker;
  const health = createTargetHealth({
    policy: () => policy,
    clock: time.clock,
    onChange: (target, state) => changes.push([target, state]),
  });
  const a = targetOf('a');
  const visit = (error?: ErrorCode | SekishoError, target = a): void => {
    const own = health.begin(target);
    if (own === undefined) throw new Error('The target is ill.');
    if (error === undefined) own.answered(10);
    else own.failed(error instanceof SekishoError ? error : new SekishoError(error));
    own.end();
  };
  const fail = (times: number): void => {
    for (let each = 0; each < times; each++) visit('upstream_failed');
  };
  const changePolicy = (next: BreakerPolicy): void => {
    policy = next;
  };
  return { time, changes, health, a, visit, fail, changePolicy };
}

describe('the breaker', () => {
  test('opens when enough calls of the window have failed, and not before', () => {
    const { health, a, visit, fail, changes } = createStage();
    visit();
    visit();
    fail(1);
    expect(health.standing(a)).toBe('well');
    fail(1);
    expect(health.standing(a)).toBe('ill');
    expect(health.begin(a)).toBeUndefined();
    expect(changes).toEqual([['a', 'open']]);
    expect(health.waitMs(a)).toBe(BREAKER.openMs);
  });

  test('what has left the window does not count', async () => {
    const { health, a, fail, time } = createStage();
    fail(3);
    await time.pass(BREAKER.windowMs + 1_000);
    fail(3);
    expect(health.standing(a)).toBe('well');
  });

  test('half-opens for one call at a time and closes when that one is answered', async () => {
    const { health, a, fail, time, changes } = createStage();
    fail(4);
    await time.pass(BREAKER.openMs);
    expect(health.standing(a)).toBe('well');
    const probe = health.begin(a);
    expect(health.standing(a)).toBe('ill');
    expect(health.begin(a)).toBeUndefined();
    probe?.answered(5);
    expect(health.standing(a)).toBe('well');
    probe?.end();
    expect(changes.map(([, state]) => state)).toEqual(['open', 'half-open', 'closed']);
  });

  test('opens again when the probe fails', async () => {
    const { health, a, fail, time } = createStage();
    fail(4);
    await time.pass(BREAKER.openMs);
    fail(1);
    expect(health.standing(a)).toBe('ill');
    expect(health.waitMs(a)).toBe(BREAKER.openMs);
  });

  test('a probe whose caller left lets the next call be the probe', async () => {
    const { health, a, visit, fail, time } = createStage();
    fail(4);
    await time.pass(BREAKER.openMs);
    visit('caller_left');
    expect(health.snapshot()).toMatchObject([{ state: 'half-open' }]);
    expect(health.standing(a)).toBe('well');
    visit();
    expect(health.snapshot()).toMatchObject([{ state: 'closed', failureShare: 0 }]);
  });

  test('a call that began before it opened neither closes it nor takes the place of the probe', async () => {
    const { health, a, fail, time } = createStage();
    const early = health.begin(a);
    fail(4);
    early?.answered(10);
    early?.end();
    expect(health.standing(a)).toBe('ill');
    await time.pass(BREAKER.openMs);
    const probe = health.begin(a);
    early?.end();
    expect(health.standing(a)).toBe('ill');
    probe?.end();
  });

  test('stays open for the Retry-After of the upstream where that is longer', () => {
    const { health, a, visit, fail } = createStage();
    fail(3);
    visit(new SekishoError('upstream_rate_limited', { retryAfterMs: 20_000 }));
    expect(health.waitMs(a)).toBe(20_000);
  });

  test.each([
    'upstream_failed',
    'upstream_unreachable',
    'upstream_timeout',
    'upstream_broken',
    'upstream_rate_limited',
    'upstream_credential',
    'upstream_not_found',
  ] as const)('%s counts against the target', (code) => {
    const { health, visit } = createStage(PATIENT);
    visit(code);
    expect(health.snapshot()).toMatchObject([{ failureShare: 1, lastError: code }]);
  });

  test.each(['upstream_rejected', 'content_refused', 'context_too_long', 'caller_left', 'internal'] as const)(
    '%s does not',
    (code) => {
      const { health, visit } = createStage(PATIENT);
      visit(code);
      expect(health.snapshot()).toMatchObject([{ failureShare: 0, inFlight: 0 }]);
    },
  );

  test('only a refusal that the upstream gave is a proof of its health', async () => {
    const { health, fail, visit, time } = createStage();
    fail(4);
    await time.pass(BREAKER.openMs);
    visit('unsupported_parameter');
    expect(health.snapshot()).toMatchObject([{ state: 'half-open' }]);
    visit('upstream_rejected');
    expect(health.snapshot()).toMatchObject([{ state: 'closed' }]);
  });

  test('a policy that changes holds at once', () => {
    const { health, a, fail, changePolicy } = createStage(PATIENT);
    fail(10);
    expect(health.standing(a)).toBe('well');
    changePolicy({ ...BREAKER, windowMs: 20_000 });
    fail(4);
    expect(health.standing(a)).toBe('ill');
  });
});

describe('eviction', () => {
  test('lasts as long as the upstream asked, five minutes at most', async () => {
    const { health, a, visit, time } = createStage(PATIENT);
    visit(new SekishoError('upstream_failed', { retryAfterMs: 2_000 }));
    expect(health.standing(a)).toBe('evicted');
    await time.pass(2_000);
    expect(health.standing(a)).toBe('well');
    visit(new SekishoError('upstream_failed', { retryAfterMs: 86_400_000 }));
    expect(health.waitMs(a)).toBe(300_000);
  });
});

describe('expected time', () => {
  test('grows with latency, with calls under way and with failures', () => {
    const { health, visit } = createStage(PATIENT);
    const [quick, slow, failing, busy] = ['quick', 'slow', 'failing', 'busy'].map((name) => targetOf(name));
    if (quick === undefined || slow === undefined || failing === undefined || busy === undefined) throw new Error();
    for (const target of [quick, slow, failing, busy]) {
      const own = health.begin(target);
      own?.answered(target === slow ? 100 : 10);
      own?.end();
    }
    visit('upstream_failed', failing);
    health.begin(busy);
    const base = health.expectedMs(quick);
    for (const worse of [slow, failing, busy]) expect(health.expectedMs(worse)).toBeGreaterThan(base);
  });

  test('a target that has never answered is asked by one call and not by all', () => {
    const { health, a, visit } = createStage(PATIENT);
    visit(undefined, targetOf('known'));
    expect(health.expectedMs(a)).toBeLessThan(health.expectedMs(targetOf('known')));
    health.begin(a);
    expect(health.expectedMs(a)).toBeGreaterThan(health.expectedMs(targetOf('known')));
  });

  test('what was seen long ago is forgotten by and by', async () => {
    const { health, a, visit, time } = createStage(PATIENT);
    visit();
    const before = health.expectedMs(a);
    await time.pass(60_000);
    expect(health.expectedMs(a)).toBeLessThan(before / 2);
  });
});

describe('places', () => {
  test('a place that does not answer is ill with all of its targets until it answers again', () => {
    const { health } = createStage();
    const here = targetOf('m', { origin: 'http://1' });
    const there = targetOf('m', { origin: 'http://2' });
    health.checked('up@http://1', 'silent');
    expect([health.standing(here), health.standing(there)]).toEqual(['ill', 'well']);
    expect(health.begin(here)).toBeUndefined();
    health.checked('up@http://1', 'answers');
    expect(health.standing(here)).toBe('well');
  });
});

describe('reset', () => {
  test('takes back what is held against a target, at every place of its fleet', () => {
    const { health, visit } = createStage();
    const place = targetOf('m', { origin: 'http://1' });
    for (let each = 0; each < 4; each++) visit('upstream_failed', place);
    expect(health.standing(place)).toBe('ill');
    expect(health.reset('m')).toBe(true);
    expect(health.standing(place)).toBe('well');
    expect(health.snapshot()).toMatchObject([{ state: 'closed', failureShare: 0 }]);
    expect(health.reset('nothing')).toBe(false);
  });
});

test('X5: a thousand and some targets are remembered, and none that is in use is forgotten', () => {
  const { health, visit } = createStage(PATIENT);
  const held = targetOf('held');
  health.begin(held);
  for (let each = 0; each < 5_000; each++) visit(undefined, targetOf(`model-${each}`));
  expect(health.snapshot().length).toBeLessThanOrEqual(1_024);
  expect(health.inFlight(held)).toBe(1);
});
