import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { readStream } from '../support/read-stream.ts';
import { errorCode, MODEL, startRoutingStage, type RoutingStage } from '../support/routing-stage.ts';

const ONE = `one/${MODEL}`;
const TIMEOUT_MS = 200;

let stage: RoutingStage;
beforeAll(async () => {
  stage = await startRoutingStage(() => ({
    targets: {
      [ONE]: { concurrency: 1, queue: { max: 1, timeout_ms: 20_000 } },
      [`two/${MODEL}`]: { concurrency: 1, queue: { max: 5, timeout_ms: TIMEOUT_MS } },
      [`three/${MODEL}`]: { concurrency: 1 },
    },
    routes: {
      queued: [ONE],
      impatient: [`two/${MODEL}`],
      alone: [`three/${MODEL}`],
      overflow: [`three/${MODEL}`, ONE],
      strict: { targets: [`three/${MODEL}`, ONE], fallback_on: ['server_error'] },
      spread: { groups: [{ strategy: 'least-busy', targets: [ONE, `three/${MODEL}`] }] },
    },
  }));
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const STALL = { stall: { at: 'before-headers' } } as const;
const waiting = async (target: string, count: number): Promise<void> => {
  await eventually(
    `${count} wait for ${target}`,
    async () => (await stage.health()).get(target)?.['queue_length'] === count,
  );
};

describe('a target with one place and a queue of one', () => {
  test('serves one, lets one wait, refuses the rest at once with a Retry-After', async () => {
    stage.one.script(STALL);
    const first = stage.ask('queued');
    await stage.one.stalled();
    const second = stage.ask('queued');
    await waiting(ONE, 1);
    const third = await stage.ask('queued');
    expect(third.status).toBe(503);
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await errorCode(third)).toBe('target_busy');
    expect(stage.seen()).toEqual([1, 0, 0]);
    stage.one.release();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    expect(stage.seen()).toEqual([2, 0, 0]);
  });

  test('a stream holds its place until its end', async () => {
    stage.one.script({ stall: { at: { events: 2 } } });
    const first = await stage.ask('queued', { body: { stream: true } });
    await stage.one.stalled();
    const second = stage.ask('queued');
    await waiting(ONE, 1);
    expect(stage.seen()[0]).toBe(1);
    stage.one.release();
    await readStream(first);
    expect((await second).status).toBe(200);
  });

  test('a caller who leaves in the middle of a stream gives the place free', async () => {
    stage.one.script({ stall: { at: { events: 2 } } });
    const controller = new AbortController();
    await stage.ask('queued', { body: { stream: true }, signal: controller.signal });
    await stage.one.stalled();
    const second = stage.ask('queued');
    await waiting(ONE, 1);
    controller.abort();
    expect((await second).status).toBe(200);
    expect(stage.one.aborts).toBe(1);
  });

  test('a caller who leaves while it waits is taken out of the queue and never reaches the upstream', async () => {
    stage.one.script(STALL);
    const first = stage.ask('queued');
    await stage.one.stalled();
    const controller = new AbortController();
    const second = stage.ask('queued', { signal: controller.signal }).catch(() => 'left');
    await waiting(ONE, 1);
    controller.abort();
    expect(await second).toBe('left');
    await waiting(ONE, 0);
    const third = stage.ask('queued');
    await waiting(ONE, 1);
    stage.one.release();
    expect([(await first).status, (await third).status]).toEqual([200, 200]);
    expect(stage.seen()[0]).toBe(2);
  });

  test('a failed call gives its place free too', async () => {
    stage.one.script({ fail: { status: 500 } }, { break: { at: 'after-headers', how: 'reset' } });
    for (let each = 0; each < 2; each++) expect((await stage.ask('queued')).ok).toBe(false);
    expect((await stage.ask('queued')).status).toBe(200);
    expect((await stage.health()).get(ONE)).toMatchObject({ in_flight: 0, queue_length: 0 });
  });
});

test('who has waited too long gets a 503 with a Retry-After', async () => {
  stage.two.script(STALL);
  const first = stage.ask('impatient');
  await stage.two.stalled();
  const second = await stage.ask('impatient');
  expect(second.status).toBe(503);
  expect(await errorCode(second)).toBe('target_busy');
  expect(stage.seen()[1]).toBe(1);
  stage.two.release();
  expect((await first).status).toBe(200);
});

describe('a full target without a queue', () => {
  /** Takes the only place; what it returns gives it free. */
  const taken = async (): Promise<() => Promise<void>> => {
    stage.three.script(STALL);
    const first = stage.ask('alone');
    await stage.three.stalled();
    return async () => {
      stage.three.release();
      expect((await first).status).toBe(200);
    };
  };

  test('is busy at once', async () => {
    const release = await taken();
    expect(await errorCode(await stage.ask('alone'))).toBe('target_busy');
    await release();
  });

  test.each([
    ['overflow', 200, 1],
    ['strict', 503, 0],
  ])('goes to the next target where the route %s', async (route, status, calls) => {
    const release = await taken();
    expect((await stage.ask(route)).status).toBe(status);
    expect(stage.seen()[0]).toBe(calls);
    await release();
  });

  test('is passed over by a group that spreads its calls', async () => {
    const release = await taken();
    for (let each = 0; each < 5; each++) expect((await stage.ask('spread')).status).toBe(200);
    expect(stage.seen()).toEqual([5, 0, 1]);
    await release();
  });
});
