import { describe, expect, test } from 'bun:test';
import type { Provider } from '../ports/provider.ts';
import { SekishoError, type ErrorCode } from '../spec/errors.ts';
import { attemptTargets } from './attempt.ts';
import type { Plan } from './route-book.ts';

const endpoint: Provider = { name: 'up', wire: 'openai' };
const plan = (names: string[], attempts = 2): Plan => ({
  route: 'r',
  targets: names.map((name) => ({ name, provider: 'up', model: name, weight: 1, endpoint })),
  retry: { attempts, baseDelayMs: 100, maxDelayMs: 1_000 },
});

/** Runs a plan against a script of answers: an error code fails, `ok` answers. */
async function run(
  names: string[],
  script: (ErrorCode | 'ok' | SekishoError)[],
  signal = new AbortController().signal,
) {
  const called: string[] = [];
  const slept: number[] = [];
  const outcome = await attemptTargets({
    plan: plan(names),
    signal,
    random: () => 0.5,
    sleep: (ms) => {
      slept.push(ms);
      return Promise.resolve();
    },
    onFailure: () => undefined,
    call: (target) => {
      called.push(target.name);
      const next = script.shift() ?? 'ok';
      if (next === 'ok') return Promise.resolve(target.name);
      return Promise.reject(next instanceof SekishoError ? next : new SekishoError(next));
    },
  }).then(
    ({ value, attempts }) => ({ value, attempts }),
    (thrown: unknown) => ({ code: (thrown as SekishoError).code }),
  );
  return { ...outcome, called, slept };
}

describe('attempts', () => {
  test('a failure that may pass is tried again on the same target after a jittered delay', async () => {
    expect(await run(['a', 'b'], ['upstream_failed', 'ok'])).toMatchObject({
      value: 'a',
      attempts: 2,
      called: ['a', 'a'],
      slept: [50],
    });
  });

  test('after its tries the next target answers; retries never multiply', async () => {
    const answer = await run(['a', 'b'], ['upstream_failed', 'upstream_failed', 'upstream_failed', 'upstream_failed']);
    expect(answer).toMatchObject({ code: 'upstream_failed', called: ['a', 'a', 'b', 'b'] });
  });

  test('a Retry-After is waited for, and one beyond the limit falls back at once', async () => {
    const limited = (retryAfterMs: number) => new SekishoError('upstream_rate_limited', { retryAfterMs });
    expect(await run(['a', 'b'], [limited(900), 'ok'])).toMatchObject({ called: ['a', 'a'], slept: [900] });
    expect(await run(['a', 'b'], [limited(60_000), 'ok'])).toMatchObject({ called: ['a', 'b'], slept: [] });
  });

  test.each([
    'upstream_timeout',
    'upstream_credential',
    'upstream_not_found',
    'context_too_long',
    'content_refused',
    'unsupported_parameter',
  ] as const)('%s moves on to the next target without another try', async (code) => {
    expect(await run(['a', 'b'], [code, 'ok'])).toMatchObject({ value: 'b', called: ['a', 'b'], slept: [] });
  });

  test('a request that the upstream rejects is not tried elsewhere', async () => {
    expect(await run(['a', 'b'], ['upstream_rejected'])).toMatchObject({ code: 'upstream_rejected', called: ['a'] });
  });

  test('a caller who has left ends the attempts', async () => {
    const controller = new AbortController();
    controller.abort();
    expect(await run(['a'], [], controller.signal)).toMatchObject({ code: 'caller_left', called: [] });
  });
});
