import { expect, test } from 'bun:test';
import { createManualTime } from '../../../test/support/manual-time.ts';
import type { Provider } from '../../ports/provider.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Catalogue, ProviderEntry } from '../catalogue.ts';
import type { Instance } from './endpoint-book.ts';
import { runHealthChecks } from './health-checks.ts';

const INTERVAL_MS = 1_000;

function createStage() {
  const time = createManualTime();
  const stop = new AbortController();
  const down = new Map<string, Error>();
  const asked: string[] = [];
  const checked: string[] = [];
  const changes: string[] = [];
  const probing = (place: string): Provider => ({
    name: 'fleet',
    wire: 'openai',
    probe: () => {
      asked.push(place);
      const error = down.get(place);
      return error === undefined ? Promise.resolve() : Promise.reject(error);
    },
  });
  const entry = (provider: Provider): ProviderEntry => ({
    provider,
    models: () => [],
    priceOf: () => undefined,
    trusted: true,
  });
  let instances: Instance[] = ['http://1', 'http://2'].map((origin) => ({
    origin,
    weight: 1,
    provider: probing(`fleet@${origin}`),
  }));
  const mute: Provider = { name: 'mute', wire: 'openai' };
  const providers = [entry(probing('fleet')), entry(mute)];
  const listing = (): void => {
    mute.listModels = () => {
      asked.push('models of mute');
      return Promise.resolve([]);
    };
  };
  const catalogue: Catalogue = {
    providers,
    routes: [],
    targets: new Map(),
    defaultRetry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
    retryShare: 0,
    breaker: { failureShare: 1, minimumCalls: 1, windowMs: 1, openMs: 1 },
  };
  const running = runHealthChecks({
    intervalMs: INTERVAL_MS,
    catalogue: () => catalogue,
    endpoints: { instancesOf: ({ provider }) => (provider.name === 'fleet' ? instances : undefined) },
    health: { checked: (place, answers) => checked.push(`${place} ${answers}`) },
    sleep: time.sleep,
    random: () => 0.5,
    signal: stop.signal,
    onChange: (place, answers) => changes.push(`${place} ${answers}`),
  });
  const leave = (): void => {
    instances = instances.slice(1);
  };
  return { time, stop, down, asked, checked, changes, running, leave, listing };
}

test('every place that knows the question is asked, again and again', async () => {
  const { time, asked } = createStage();
  await time.settle();
  expect(asked.sort()).toEqual(['fleet@http://1', 'fleet@http://2']);
  await time.pass(INTERVAL_MS);
  expect(asked).toHaveLength(4);
});

test('two silences in a row make a place ill, one answer makes it well', async () => {
  const { time, down, checked, changes } = createStage();
  await time.settle();
  down.set('fleet@http://1', new Error('silent'));
  await time.pass(INTERVAL_MS);
  expect(changes).toEqual([]);
  expect(checked).not.toContain('fleet@http://1 silent');
  await time.pass(INTERVAL_MS);
  expect(changes).toEqual(['fleet@http://1 silent']);
  expect(checked).toContain('fleet@http://1 silent');
  await time.pass(INTERVAL_MS);
  expect(changes).toHaveLength(1);
  down.clear();
  await time.pass(INTERVAL_MS);
  expect(changes).toEqual(['fleet@http://1 silent', 'fleet@http://1 answers']);
});

test('a refusal is an answer, and whoever has no question of its own is asked for its models', async () => {
  const { time, down, changes, asked, listing } = createStage();
  down.set('fleet@http://1', new SekishoError('upstream_credential'));
  listing();
  await time.pass(3 * INTERVAL_MS);
  expect(changes).toEqual([]);
  expect(asked).toContain('models of mute');
  down.set('fleet@http://1', new SekishoError('upstream_unreachable'));
  await time.pass(3 * INTERVAL_MS);
  expect(changes).toEqual(['fleet@http://1 silent']);
});

test('a place that has left is not held to be ill for ever', async () => {
  const { time, down, checked, leave } = createStage();
  down.set('fleet@http://1', new Error('silent'));
  await time.pass(INTERVAL_MS);
  checked.length = 0;
  leave();
  await time.pass(INTERVAL_MS);
  expect(checked).toContain('fleet@http://1 answers');
});

test('the checks end with the signal', async () => {
  const { time, stop, running, asked } = createStage();
  await time.settle();
  stop.abort();
  await running;
  const count = asked.length;
  await time.pass(5 * INTERVAL_MS);
  expect(asked).toHaveLength(count);
});
