import { afterAll, beforeAll, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { MODEL, startRoutingStage, type RoutingStage } from '../support/routing-stage.ts';

/** What a Consul of the test says; an instance is a port of the loopback. */
let ports: number[] = [];
let works = true;
let looks = 0;
const consul = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: () => {
    looks++;
    return works
      ? Response.json(ports.map((port) => ({ Node: {}, Service: { Address: '127.0.0.1', Port: port } })))
      : new Response('No cluster leader', { status: 500 });
  },
});

/** Waits until what Consul says now has been taken in: the look after the next one has begun. */
const takenIn = async (): Promise<void> => {
  const before = looks;
  await eventually('Consul was asked twice', () => looks >= before + 2);
};

let stage: RoutingStage;
let portOf: Record<'one' | 'two' | 'three', number>;
beforeAll(async () => {
  stage = await startRoutingStage((origins) => {
    portOf = {
      one: Number(new URL(origins.one).port),
      two: Number(new URL(origins.two).port),
      three: Number(new URL(origins.three).port),
    };
    ports = [portOf.one, portOf.two];
    const endpoints = { consul: `http://127.0.0.1:${consul.port}`, service: 'llm', refresh_s: 1 };
    return {
      health: { interval_s: 1 },
      providers: { fleet: { wire: 'openai', base_url: 'http://fleet.invalid/v1', models: [MODEL], endpoints } },
    };
  });
});
afterAll(async () => {
  await stage.stop();
  await consul.stop(true);
});

const TARGET = `fleet/${MODEL}`;
const models = (upstream: 'one' | 'two' | 'three'): number =>
  stage[upstream].requests.filter(({ method }) => method === 'POST').length;
const ask = async (times: number): Promise<void> => {
  for (let each = 0; each < times; each++) expect((await stage.ask(TARGET)).status).toBe(200);
};

test('calls go where the catalogue of services says', async () => {
  await eventually('the fleet is known', async () => (await stage.ask(TARGET)).ok);
  await ask(20);
  expect(models('one')).toBeGreaterThan(0);
  expect(models('two')).toBeGreaterThan(0);
  expect(models('three')).toBe(0);
});

test('a place that comes gets calls; one that leaves gets no new ones, and what is under way there ends', async () => {
  stage.one.script({ stall: { at: 'before-headers' } });
  const stalled = stage.one.stalled().then(() => 'stalled' as const);
  let open: Promise<Response> | undefined;
  while (open === undefined) {
    const asked = stage.ask(TARGET);
    if ((await Promise.race([asked, stalled])) === 'stalled') open = asked;
  }
  ports = [portOf.two, portOf.three];
  await eventually('the new place is asked', async () => {
    await ask(1);
    return models('three') > 0;
  });
  const before = models('one');
  await ask(20);
  expect(models('one')).toBe(before);
  stage.one.release();
  expect((await open).status).toBe(200);
});

test('a catalogue that fails, or has lost everything, leaves the fleet as it was', async () => {
  works = false;
  await takenIn();
  await ask(4);
  works = true;
  ports = [];
  await takenIn();
  await ask(4);
});

test('an active check finds a silent place before a caller does', async () => {
  await stage.three.stop();
  ports = [portOf.two, portOf.three];
  await eventually('the place is ill', async () =>
    [...(await stage.health())].some(([key, { state }]) => key.endsWith(`:${portOf.three}`) && state === 'open'),
  );
  const before = models('two');
  await ask(5);
  expect(models('two')).toBe(before + 5);
});
