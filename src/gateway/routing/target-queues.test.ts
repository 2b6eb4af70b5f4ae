import { describe, expect, test } from 'bun:test';
import { createManualTime } from '../../../test/support/manual-time.ts';
import { targetOf } from '../../../test/support/routing-plan.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { createTargetQueues } from './target-queues.ts';

const never = new AbortController().signal;

function createStage() {
  const time = createManualTime();
  const queues = createTargetQueues({ sleep: time.sleep });
  const entered: string[] = [];
  const enter = (name: string, target = limited(1, 2), signal = never): Promise<string> => {
    const waiting = queues.enter(target, signal);
    if (waiting === undefined) {
      entered.push(name);
      return Promise.resolve('at once');
    }
    return waiting.then(
      () => {
        entered.push(name);
        return 'after a wait';
      },
      (thrown: SekishoError) => thrown.code,
    );
  };
  return { time, queues, entered, enter };
}

const limited = (concurrency: number, max?: number) =>
  targetOf('a', { policy: { concurrency, ...(max !== undefined && { queue: { max, timeoutMs: 1_000 } }) } });

describe('places of a target', () => {
  test('without a limit nobody waits and nothing is kept', () => {
    const { queues } = createStage();
    expect(queues.enter(targetOf('a'), never)).toBeUndefined();
    queues.leave(targetOf('a'));
    expect(queues.isFree(targetOf('a'))).toBe(true);
  });

  test('who comes when all are taken waits, first come, first served', async () => {
    const { time, queues, entered, enter } = createStage();
    const target = limited(1, 2);
    const all = [enter('one'), enter('two'), enter('three')];
    expect(entered).toEqual(['one']);
    expect(queues.length('a')).toBe(2);
    queues.leave(target);
    await time.settle();
    expect(entered).toEqual(['one', 'two']);
    queues.leave(target);
    await time.settle();
    expect(await Promise.all(all)).toEqual(['at once', 'after a wait', 'after a wait']);
    queues.leave(target);
    expect(queues.isFree(target)).toBe(true);
  });

  test('a place that is given on is never taken twice', async () => {
    const { time, queues, enter } = createStage();
    const target = limited(1, 2);
    void enter('one');
    void enter('two');
    queues.leave(target);
    expect(queues.isFree(target)).toBe(false);
    await time.settle();
    queues.leave(target);
    expect(queues.isFree(target)).toBe(true);
  });

  test('when nobody may wait any more the call is refused with a Retry-After', () => {
    const { queues, enter } = createStage();
    void enter('one');
    void enter('two');
    void enter('three');
    expect(() => queues.enter(limited(1, 2), never)).toThrow(
      expect.objectContaining({ code: 'target_busy', status: 503, retryAfterMs: 1_000 }),
    );
    expect(() => queues.enter(limited(1), never)).toThrow(expect.objectContaining({ code: 'target_busy' }));
  });

  test('who has waited too long is refused and leaves the queue', async () => {
    const { time, queues, enter } = createStage();
    void enter('one');
    const two = enter('two');
    await time.pass(1_000);
    expect(await two).toBe('target_busy');
    expect(queues.length('a')).toBe(0);
  });

  test('who leaves is taken out of the queue', async () => {
    const { time, queues, entered, enter } = createStage();
    const controller = new AbortController();
    void enter('one');
    const two = enter('two', limited(1, 2), controller.signal);
    const three = enter('three');
    controller.abort();
    expect(await two).toBe('caller_left');
    queues.leave(limited(1, 2));
    await time.settle();
    expect(await three).toBe('after a wait');
    expect(entered).toEqual(['one', 'three']);
  });

  test('a limit that is lowered holds for whoever waits', async () => {
    const { time, queues, entered, enter } = createStage();
    const wide = limited(2, 2);
    void enter('one', wide);
    void enter('two', wide);
    void enter('three', limited(1, 2));
    queues.leave(wide);
    await time.settle();
    expect(entered).toEqual(['one', 'two']);
    queues.leave(wide);
    await time.settle();
    expect(entered).toEqual(['one', 'two', 'three']);
  });
});
