import { describe, expect, test } from 'bun:test';
import { CALLER } from '../../test/support/routing-plan.ts';
import type { Provider } from '../ports/provider.ts';
import { SekishoError } from '../spec/errors.ts';
import type { Wire } from '../spec/wire.ts';
import type { Catalogue, ProviderEntry, RouteDefinition, RouteGroup } from './catalogue.ts';
import { createRouteBook } from './route-book.ts';
import type { Instance } from './routing/endpoint-book.ts';
import type { RouteQuery } from './routing/plan.ts';

const provider = (name: string, wire: Wire = 'openai'): Provider => ({ name, wire });

function entry(name: string, models: string[], more: Partial<ProviderEntry> = {}): ProviderEntry {
  return {
    provider: provider(name),
    models: () => models.map((model) => ({ model, kinds: ['chat'] })),
    priceOf: () => undefined,
    trusted: true,
    ...more,
  };
}

const route = (name: string, groups: Partial<RouteGroup>[], more: Partial<RouteDefinition> = {}): RouteDefinition => ({
  name,
  groups: groups.map((group) => ({ strategy: 'ordered', targets: [], ...group })),
  ...more,
});

const to = (...names: string[]) => names.map((name) => ({ name, weight: 1 }));

function createStage(given: Partial<Catalogue> = {}, instances: Record<string, Instance[]> = {}) {
  const base: Catalogue = {
    providers: [
      entry('extractive', ['extractive'], { provider: provider('extractive', 'extractive'), trusted: false }),
      entry('one', ['gpt-4o', 'gpt-4o-mini']),
      entry('two', ['gpt-4o', 'claude']),
    ],
    routes: [],
    targets: new Map(),
    defaultRetry: { attempts: 2, baseDelayMs: 1, maxDelayMs: 2 },
    retryShare: 0.1,
    breaker: { failureShare: 0.5, minimumCalls: 10, windowMs: 10_000, openMs: 5_000 },
    ...given,
  };
  let catalogue = base;
  const endpoints = {
    revision: 0,
    follow: () => undefined,
    instancesOf: ({ provider: { name } }: ProviderEntry) => instances[name],
  };
  const book = createRouteBook({ catalogue: () => catalogue, endpoints });
  const query = (name: string, more: Partial<RouteQuery> = {}): RouteQuery => ({
    route: name,
    principal: CALLER,
    inputTokens: () => 0,
    ...more,
  });
  return {
    book,
    endpoints,
    resolve: (name: string, more: Partial<RouteQuery> = {}) => book.resolve(query(name, more)),
    targets: (name: string, more: Partial<RouteQuery> = {}) =>
      book.resolve(query(name, more)).targets.map(({ key }) => key),
    refusal: (name: string, more: Partial<RouteQuery> = {}) => {
      try {
        book.resolve(query(name, more));
        return undefined;
      } catch (thrown) {
        return thrown instanceof SekishoError ? thrown : undefined;
      }
    },
    change: (next: Partial<Catalogue>) => {
      catalogue = { ...base, ...next };
    },
  };
}

describe('names', () => {
  const routes = [
    route('gpt-4o', [{ targets: to('two/gpt-4o') }]),
    route('gpt-*', [{ targets: to('two/claude') }]),
    route('gpt-4*', [{ targets: to('one/*', 'two/*') }]),
    route('*', [{ targets: to('one/gpt-4o-mini') }]),
  ];

  test('a route comes first, then the longest pattern, then provider/model, then a bare model', () => {
    const { targets } = createStage({ routes: routes.slice(0, 3) });
    expect(targets('gpt-4o')).toEqual(['two/gpt-4o']);
    expect(targets('gpt-3')).toEqual(['two/claude']);
    expect(targets('gpt-4.1')).toEqual(['one/gpt-4.1', 'two/gpt-4.1']);
    expect(targets('one/gpt-9')).toEqual(['one/gpt-9']);
    expect(targets('claude')).toEqual(['two/claude']);
  });

  test('a bare model is the first provider that has it', () => {
    expect(createStage().targets('gpt-4o')).toEqual(['one/gpt-4o']);
  });

  test('a pattern for everything leaves the models of this process where they are', () => {
    const { targets } = createStage({ routes });
    expect(targets('extractive')).toEqual(['extractive/extractive']);
    expect(targets('whatever')).toEqual(['one/gpt-4o-mini']);
  });

  test('the plan knows the name that was asked for and the definition', () => {
    const { resolve } = createStage({ routes });
    expect(resolve('gpt-3')).toMatchObject({ route: 'gpt-3', definition: 'gpt-*' });
    expect(resolve('gpt-5')).toMatchObject({ route: 'gpt-5', definition: 'gpt-*' });
  });

  test('what does not exist is a 404 that names what does, and what is not allowed a 403', () => {
    const { refusal, book } = createStage({ routes: routes.slice(0, 1) });
    expect(refusal('nothing')).toMatchObject({ code: 'route_not_found', param: 'model' });
    expect(refusal('nothing')?.message).toContain('gpt-4o, extractive, one/gpt-4o');
    const bound = { ...CALLER, allowedRoutes: ['cl*'] };
    expect(refusal('gpt-4o', { principal: bound })).toMatchObject({ code: 'route_forbidden' });
    expect(book.list(bound)).toEqual([]);
  });

  test('one provider whose list cannot be had judges names itself; one that is not trusted does not', () => {
    const silent = createStage({ providers: [entry('only', [])] });
    expect(silent.targets('llama-3')).toEqual(['only/llama-3']);
    const local = createStage({ providers: [entry('only', [], { trusted: false })] });
    expect(local.refusal('llama-3')?.code).toBe('route_not_found');
  });
});

describe('conditions', () => {
  const routes = [
    route('r', [
      { targets: to('one/tenant'), when: { tenants: ['ten_acme', 'ten_x*'] } },
      { targets: to('one/team'), when: { teams: ['search'] } },
      { targets: to('one/tag'), when: { tags: ['tier=gold', 'beta-*'] } },
      { targets: to('one/long'), when: { minInputTokens: 1_000 } },
      { targets: to('one/middle'), when: { minInputTokens: 100, maxInputTokens: 999, tags: ['tier=gold'] } },
    ]),
    route('m-*', [{ targets: to('one/named'), when: { models: ['m-1*', 'm-2'] } }, { targets: to('one/other') }]),
  ];
  const { targets, refusal } = createStage({ routes });

  test('a group stands in the plan where all of its conditions hold', () => {
    expect(targets('r', { principal: { ...CALLER, tenantId: 'ten_xyz' } })).toEqual(['one/tenant']);
    expect(targets('r', { principal: { ...CALLER, team: 'search' } })).toEqual(['one/team']);
    expect(targets('r', { principal: { ...CALLER, tags: ['beta-7'] } })).toEqual(['one/tag']);
    expect(targets('r', { tags: ['tier=gold'], inputTokens: () => 100 })).toEqual(['one/tag', 'one/middle']);
    expect(targets('r', { inputTokens: () => 1_000 })).toEqual(['one/long']);
  });

  test('a name may choose among the groups of a pattern', () => {
    expect(targets('m-17')).toEqual(['one/named', 'one/other']);
    expect(targets('m-3')).toEqual(['one/other']);
  });

  test('a call that no group takes is told so', () => {
    expect(refusal('r')).toMatchObject({ code: 'route_conditions_unmet', status: 400 });
  });

  test('the size is asked for once, and only where a condition needs it', () => {
    let asked = 0;
    const inputTokens = (): number => ++asked;
    targets('m-1', { inputTokens });
    expect(asked).toBe(0);
    targets('r', { inputTokens, principal: { ...CALLER, team: 'search' } });
    expect(asked).toBe(1);
  });
});

describe('sticky groups', () => {
  const routes = (['key', 'user', 'tenant', 'session'] as const).map((stickyBy) =>
    route(stickyBy, [{ strategy: 'sticky', stickyBy, targets: to('one/a', 'one/b') }]),
  );
  const { resolve } = createStage({ routes });
  const affinity = (name: string, more: Partial<RouteQuery> = {}) => resolve(name, more).groups[0]?.affinity;

  test('hash what they are told to, and nothing where the call does not name it', () => {
    expect(affinity('key')).toBe('key_one');
    expect(affinity('tenant')).toBe('ten_default');
    expect(affinity('user', { endUser: 'u' })).toBe('ten_default/u');
    expect(affinity('session', { session: 's' })).toBe('ten_default/s');
    expect(affinity('user')).toBeUndefined();
  });
});

describe('targets', () => {
  test('a policy of its own comes before that of all the provider; a target may be switched off', () => {
    const targets = new Map([
      ['one/*', { concurrency: 5, contextTokens: 1_000 }],
      ['one/b', { concurrency: 2 }],
      ['one/off', { enabled: false }],
    ]);
    const { resolve, refusal } = createStage({
      targets,
      routes: [route('r', [{ targets: to('one/a', 'one/b', 'one/off') }]), route('off', [{ targets: to('one/off') }])],
    });
    expect(resolve('r').targets).toMatchObject([
      { name: 'one/a', policy: { concurrency: 5 }, contextTokens: 1_000 },
      { name: 'one/b', policy: { concurrency: 2, contextTokens: 1_000 }, contextTokens: 1_000 },
    ]);
    expect(refusal('off')).toMatchObject({ code: 'no_healthy_target', status: 503 });
  });

  test('a fleet stands for its places and shares the weight of its target among them', () => {
    const at = (origin: string, weight: number): Instance => ({ origin, weight, provider: provider('one') });
    const stage = createStage(
      { routes: [route('r', [{ strategy: 'weighted', targets: [{ name: 'one/m', weight: 8 }] }])] },
      { one: [at('http://1', 1), at('http://2', 3)] },
    );
    expect(stage.resolve('r').targets).toMatchObject([
      { key: 'one/m@http://1', place: 'one@http://1', name: 'one/m', weight: 2 },
      { key: 'one/m@http://2', place: 'one@http://2', name: 'one/m', weight: 6 },
    ]);
  });
});

describe('changes', () => {
  test('a catalogue that is replaced holds at once, and a plan is made once while it does not', () => {
    const { resolve, targets, change } = createStage({ routes: [route('r', [{ targets: to('one/a') }])] });
    expect(resolve('r')).toBe(resolve('r'));
    change({ routes: [route('r', [{ targets: to('two/b') }])] });
    expect(targets('r')).toEqual(['two/b']);
  });

  test('so do places that come and go', () => {
    const instances: Record<string, Instance[]> = { one: [] };
    const stage = createStage({ routes: [route('r', [{ targets: to('one/m') }])] }, instances);
    expect(stage.refusal('r')?.code).toBe('no_healthy_target');
    instances['one'] = [{ origin: 'http://1', weight: 1, provider: provider('one') }];
    stage.endpoints.revision++;
    expect(stage.targets('r')).toEqual(['one/m@http://1']);
  });
});

test('the list has every route and every offered model that is not switched off', () => {
  const { book } = createStage({
    routes: [route('fast', [{ targets: to('one/gpt-4o') }], { description: 'Quick' })],
    targets: new Map([['two/*', { enabled: false }]]),
  });
  const listed = book.list(CALLER);
  expect(listed.map(({ name }) => name)).toEqual(['fast', 'extractive', 'one/gpt-4o', 'one/gpt-4o-mini']);
  expect(listed[0]).toMatchObject({ description: 'Quick', kinds: ['chat'], targets: [{ name: 'one/gpt-4o' }] });
});
