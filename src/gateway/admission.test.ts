import { describe, expect, test } from 'bun:test';
import type { CounterStore } from '../ports/counter-store.ts';
import { SekishoError } from '../spec/errors.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { Limits, LimitScope } from '../spec/limits.ts';
import type { Price } from '../spec/money.ts';
import type { Principal } from '../spec/principal.ts';
import { createMemoryCounterStore } from '../stores/memory/memory-counter-store.ts';
import { createAdmission, type AdmissionOptions, type LimitRefusal } from './admission.ts';
import type { SpentFilter } from './ledger.ts';

const DOLLAR: Price = { inputPerMillion: 1, outputPerMillion: 1 };
const DAY_MS = 86_400_000;
const priced = { targets: [{ name: 'up/m', price: DOLLAR }] };
const unpriced = { targets: [{ name: 'up/m', price: DOLLAR }, { name: 'up/new' }] };

interface SetUp {
  limits?: Limits;
  book?: Partial<Record<LimitScope, Record<string, Limits>>>;
  spent?: (filter: SpentFilter) => number;
  options?: Partial<AdmissionOptions>;
}

function setUp({ limits = {}, book = {}, spent = () => 0, options = {} }: SetUp) {
  const clock = { now: Date.parse('2026-03-10T00:00:00Z'), nowMs: () => clock.now, monotonicMs: () => clock.now };
  const shadows: LimitRefusal[] = [];
  const read: { filter: SpentFilter; sinceMs: number }[] = [];
  const counters = createMemoryCounterStore({ clock });
  const admission = createAdmission({
    counters,
    ledger: {
      spentMicros: (filter, sinceMs) => {
        read.push({ filter, sinceMs });
        return Promise.resolve(spent(filter));
      },
    },
    limitsOf: (scope, id) => book[scope]?.[id] ?? book[scope]?.['*'],
    onShadow: (refused) => shadows.push(refused),
    ...options,
  });
  const principal: Principal = {
    tenantId: DEFAULT_TENANT,
    keyId: 'key_a',
    name: 'a',
    role: 'member',
    allowedRoutes: [],
    limits,
    team: 'red',
  };
  const estimate = (tokens: number) => () => ({ inputTokens: tokens, maxOutputTokens: 0 });
  return {
    clock,
    counters,
    read,
    shadows,
    admission,
    /** Passes of the wall clock and of the monotonic one together. */
    pass: (ms: number) => (clock.now += ms),
    admit: (tokens = 100, call: { endUser?: string; route?: string; principal?: Partial<Principal> } = {}) =>
      admission.admit(
        {
          principal: { ...principal, ...call.principal },
          route: call.route ?? 'fast',
          ...(call.endUser !== undefined && { endUser: call.endUser }),
        },
        priced,
        estimate(tokens),
      ),
    admitUnpriced: () => admission.admit({ principal, route: 'fast' }, unpriced, estimate(1)),
    admitTarget: (tokens = 100) => admission.admitTarget({ name: 'up/m', price: DOLLAR }, estimate(tokens)),
  };
}

const failure = (promise: Promise<unknown> | undefined): Promise<SekishoError> =>
  (promise ?? Promise.resolve()).then(
    () => {
      throw new Error('It passed.');
    },
    (thrown: unknown) => {
      if (thrown instanceof SekishoError) return thrown;
      throw thrown;
    },
  );

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : String(thrown)),
  );

describe('budgets', () => {
  test('C1: of many concurrent calls on a budget for one exactly one passes', async () => {
    const { admit } = setUp({ limits: { budgetMicros: 150 } });
    const codes = await Promise.all(Array.from({ length: 40 }, () => codeOf(admit(100))));
    expect(codes.filter((code) => code === 'ok')).toHaveLength(1);
    expect(codes.filter((code) => code === 'budget_exhausted')).toHaveLength(39);
  });

  test('what was not used comes back, what was used beyond the estimate is taken', async () => {
    const { admit } = setUp({ limits: { budgetMicros: 150 } });
    const first = await admit(100);
    await first.settle({ tokens: 10, costMicros: 10 });
    await first.settle({ tokens: 10, costMicros: 10 });
    const second = await admit(140);
    await second.settle({ tokens: 200, costMicros: 200 });
    expect(await codeOf(admit(1))).toBe('budget_exhausted');
  });

  test('a budget knows what the ledger has seen, read once for many calls; a new month opens it again', async () => {
    const { admit, pass, read } = setUp({ limits: { budgetMicros: 150 }, spent: () => 100 });
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(admit(10))));
    expect(codes).toEqual(Array(5).fill('ok'));
    expect(await codeOf(admit(1))).toBe('budget_exhausted');
    expect(read).toEqual([
      { filter: { tenantId: DEFAULT_TENANT, keyId: 'key_a' }, sinceMs: Date.parse('2026-03-01T00:00:00Z') },
    ]);
    pass(22 * DAY_MS);
    expect(await codeOf(admit(50))).toBe('ok');
    expect(read[1]?.sinceMs).toBe(Date.parse('2026-04-01T00:00:00Z'));
  });

  test('a budget of a day opens at midnight UTC, that of the month stays', async () => {
    const { admit, pass } = setUp({ limits: { dailyBudgetMicros: 100, budgetMicros: 150 } });
    await (await admit(100)).settle({ tokens: 100, costMicros: 100 });
    const today = await failure(admit(10));
    expect(today).toMatchObject({ code: 'budget_exhausted', retryAfterMs: DAY_MS });
    expect(today.messageIn('en')).toBe('The budget of this key for this day is used up.');
    expect(today.messageIn('ja')).toBe('このキーの本日の予算を使い切りました。');
    pass(DAY_MS);
    await (await admit(50)).settle({ tokens: 50, costMicros: 50 });
    expect((await failure(admit(10))).messageIn('ja')).toBe('このキーの今月の予算を使い切りました。');
  });

  test.each(['key', 'team', 'tenant', 'user', 'route'] as const)(
    'of a %s: seeded with its own spending',
    async (scope) => {
      const limits = { budgetMicros: 150 };
      const { admit, read } = setUp({ book: { [scope]: { '*': limits } }, spent: () => 149 });
      expect(await codeOf(admit(2, { endUser: 'u1' }))).toBe('budget_exhausted');
      const own: Record<string, SpentFilter> = {
        key: { keyId: 'key_a' },
        team: { team: 'red' },
        tenant: {},
        user: { endUser: 'u1' },
        route: { route: 'fast' },
      };
      expect(read.map(({ filter }) => filter)).toEqual([{ tenantId: DEFAULT_TENANT, ...own[scope] }]);
    },
  );

  test('a plan with a model without a price may not be called where a budget is in force', async () => {
    const error = await failure(setUp({ limits: { budgetMicros: 1_000_000 } }).admitUnpriced());
    expect(error).toMatchObject({ code: 'unpriced_model', values: { model: 'up/new' } });
    expect(await codeOf(setUp({ limits: { requestsPerMinute: 10 } }).admitUnpriced())).toBe('ok');
    expect(await codeOf(setUp({ book: { team: { red: { budgetMicros: 9 } } } }).admitUnpriced())).toBe(
      'unpriced_model',
    );
    expect(await codeOf(setUp({ limits: { budgetMicros: 9, shadow: true } }).admitUnpriced())).toBe('ok');
  });

  test('a call that costs nothing passes on a budget that is used up', async () => {
    const { admission, admit } = setUp({ limits: { budgetMicros: 10 }, spent: () => 11 });
    expect(await codeOf(admit(1))).toBe('budget_exhausted');
    const principal: Principal = {
      tenantId: DEFAULT_TENANT,
      keyId: 'key_a',
      name: 'a',
      role: 'member',
      allowedRoutes: [],
      limits: { budgetMicros: 10 },
    };
    const targets = [{ name: 'local/extractive', price: { inputPerMillion: 0, outputPerMillion: 0 } }];
    const call = admission.admit({ principal, route: 'r' }, { targets }, () => ({
      inputTokens: 9,
      maxOutputTokens: 9,
    }));
    expect(await codeOf(call)).toBe('ok');
  });

  test('the estimate reckons with a prompt that is written to the cache, at its dearer rate', async () => {
    const { admission } = setUp({});
    const principal = {
      tenantId: DEFAULT_TENANT,
      keyId: 'key_b',
      name: 'b',
      role: 'member',
      allowedRoutes: [],
    } as const;
    const call = { principal: { ...principal, limits: { budgetMicros: 110 } }, route: 'r' };
    const targets = [{ name: 'up/m', price: { ...DOLLAR, cacheWritePerMillion: 1.25 } }];
    const estimate = () => ({ inputTokens: 100, maxOutputTokens: 0 });
    expect(await codeOf(admission.admit(call, { targets }, estimate))).toBe('budget_exhausted');
  });
});

describe('limits', () => {
  test('a refused limit takes nothing from the others and says when to come back', async () => {
    const { admit, pass } = setUp({ limits: { requestsPerMinute: 2, concurrency: 1 } });
    const open = await admit();
    expect(await failure(admit())).toMatchObject({ code: 'rate_limited', retryAfterMs: 1_000 });
    await open.settle({ tokens: 1, costMicros: 1 });
    const second = await admit();
    await second.settle({ tokens: 1, costMicros: 1 });
    expect(await failure(admit())).toMatchObject({ code: 'rate_limited', retryAfterMs: 30_000 });
    pass(30_000);
    expect(await codeOf(admit())).toBe('ok');
  });

  test.each([
    ['requestsPerSecond', '1 requests per second', '毎秒 1 リクエスト'],
    ['requestsPerMinute', '1 requests per minute', '毎分 1 リクエスト'],
    ['requestsPerHour', '1 requests per hour', '毎時 1 リクエスト'],
    ['requestsPerDay', '1 requests per day', '1 日 1 リクエスト'],
    ['tokensPerSecond', '1 tokens per second', '毎秒 1 トークン'],
    ['tokensPerMinute', '1 tokens per minute', '毎分 1 トークン'],
    ['tokensPerHour', '1 tokens per hour', '毎時 1 トークン'],
    ['tokensPerDay', '1 tokens per day', '1 日 1 トークン'],
    ['concurrency', '1 calls at once', '同時に 1 件'],
  ] as const)('%s is enforced and named in both languages', async (name, en, ja) => {
    const { admit } = setUp({ limits: { [name]: 1 } });
    await admit();
    const error = await failure(admit());
    expect(error.code).toBe('rate_limited');
    expect(error.messageIn('en')).toContain(`The limit of this key is reached: ${en}.`);
    expect(error.messageIn('ja')).toContain(`このキーの上限に達しました: ${ja}。`);
  });

  test('every scope counts its own; a refusal names whose limit it was', async () => {
    const book = {
      team: { red: { requestsPerDay: 4 } },
      tenant: { [DEFAULT_TENANT]: { requestsPerDay: 5 } },
      user: { '*': { requestsPerDay: 2 } },
      route: { slow: { requestsPerDay: 1 } },
    };
    const { admit } = setUp({ book });
    const u1 = { endUser: 'u1' };
    await admit(1, u1);
    await admit(1, u1);
    expect((await failure(admit(1, u1))).message).toStartWith('The limit of this end user is reached: 2 requests');
    await admit(1, { endUser: 'u2', route: 'slow' });
    const slow = await failure(admit(1, { endUser: 'u2', route: 'slow' }));
    expect(slow.message).toStartWith('The limit of the model "slow" is reached: 1 requests per day.');
    await admit(1);
    expect((await failure(admit(1))).messageIn('ja')).toStartWith(
      'チーム「red」の上限に達しました: 1 日 4 リクエスト。',
    );
    await admit(1, { principal: { team: 'blue', keyId: 'key_b' } });
    const tenant = await failure(admit(1, { principal: { team: 'blue', keyId: 'key_b' } }));
    expect(tenant.message).toStartWith('The limit of this tenant is reached: 5 requests per day.');
    expect(tenant.message).not.toContain(DEFAULT_TENANT);
  });

  test('the same end user, team or route of another tenant is another', async () => {
    const one = { requestsPerDay: 1 };
    const { admit } = setUp({ book: { team: { '*': one }, user: { '*': one }, route: { '*': one } } });
    await admit(1, { endUser: 'u' });
    expect(await codeOf(admit(1, { endUser: 'u', principal: { tenantId: 'ten_other', keyId: 'key_o' } }))).toBe('ok');
  });

  test("a key's own limits come before those of every key", async () => {
    const book = { key: { '*': { requestsPerDay: 1 } } };
    const { admit } = setUp({ book, limits: { requestsPerDay: 2 } });
    await admit();
    await admit();
    expect(await codeOf(admit())).toBe('rate_limited');
    const other = setUp({ book });
    await other.admit();
    expect(await codeOf(other.admit())).toBe('rate_limited');
  });

  test('a call larger than the whole window passes alone, and what it used is owed', async () => {
    const { admit, pass } = setUp({ limits: { tokensPerMinute: 100 } });
    const large = await admit(1_000);
    await large.settle({ tokens: 150, costMicros: 0 });
    expect(await codeOf(admit(1))).toBe('rate_limited');
    pass(31_000);
    expect(await codeOf(admit(1))).toBe('ok');
  });

  test('where nothing is limited nothing is counted, and the estimate is not made', async () => {
    const { admission, admitTarget } = setUp({ limits: {}, book: { team: { blue: { concurrency: 1 } } } });
    const principal: Principal = {
      tenantId: DEFAULT_TENANT,
      keyId: 'key_a',
      name: 'a',
      role: 'member',
      allowedRoutes: [],
      limits: {},
      team: 'red',
    };
    const estimate = (): never => {
      throw new Error('No estimate is needed.');
    };
    const reservation = await admission.admit({ principal, route: 'r', endUser: 'u' }, priced, estimate);
    expect(reservation.headers).toEqual([]);
    expect(admitTarget()).toBeUndefined();
  });
});

describe('targets', () => {
  test('are limited by what all tenants use; a refusal names the target and tells nobody of what is left', async () => {
    const { admitTarget } = setUp({ book: { target: { 'up/m': { concurrency: 1, tokensPerMinute: 1_000 } } } });
    const first = await admitTarget();
    const error = await failure(admitTarget());
    expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: 1_000, headers: [] });
    expect(error.message).toStartWith('The limit of the target "up/m" is reached: 1 calls at once.');
    expect(error.messageIn('ja')).toStartWith('接続先「up/m」の上限に達しました: 同時に 1 件。');
    await first?.settle({ tokens: 0, costMicros: 0 });
    expect(await codeOf(admitTarget() ?? Promise.resolve())).toBe('ok');
  });

  test('have budgets', async () => {
    const { admitTarget, read } = setUp({ book: { target: { '*': { budgetMicros: 100 } } }, spent: () => 50 });
    const error = await failure(admitTarget(51));
    expect(error.code).toBe('budget_exhausted');
    expect(error.message).toBe('The budget of the target "up/m" for this month is used up.');
    expect(read[0]?.filter).toEqual({ target: 'up/m' });
  });
});

describe('headers', () => {
  test('tell of the scarcest limit of requests and of tokens, in the way of OpenAI', async () => {
    const limits = { requestsPerMinute: 60, requestsPerDay: 10, tokensPerMinute: 1_000, concurrency: 5 };
    const { admit } = setUp({ limits, book: { team: { red: { tokensPerHour: 36_000_000 } } } });
    expect(Object.fromEntries((await admit(100)).headers)).toEqual({
      'x-ratelimit-limit-requests': '10',
      'x-ratelimit-remaining-requests': '9',
      'x-ratelimit-reset-requests': '2h24m0s',
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '900',
      'x-ratelimit-reset-tokens': '6s',
    });
  });

  test('go with a refusal too', async () => {
    const { admit } = setUp({ limits: { requestsPerMinute: 1 } });
    await admit();
    const { headers } = await failure(admit());
    expect(headers).toContainEqual(['x-ratelimit-remaining-requests', '0']);
    expect(headers).toContainEqual(['x-ratelimit-reset-requests', '1m0s']);
  });
});

describe('C7: shadow mode', () => {
  test('what would be refused passes, is counted and told', async () => {
    const limits: Limits = { requestsPerMinute: 1, budgetMicros: 150, shadow: true };
    const { admit, shadows } = setUp({ limits });
    expect((await admit()).headers).toEqual([]);
    expect(shadows).toEqual([]);
    expect(await codeOf(admit())).toBe('ok');
    expect(shadows).toEqual([
      { scope: 'key', name: 'key_a', counts: 'cost', window: 'month', limit: 150 },
      { scope: 'key', name: 'key_a', counts: 'requests', window: 'minute', limit: 1 },
    ]);
  });

  test('the observed limits of one stand beside the enforced ones of another', async () => {
    const book = { team: { red: { requestsPerMinute: 1, shadow: true } }, tenant: { '*': { requestsPerMinute: 2 } } };
    const { admit, shadows } = setUp({ book });
    await admit();
    await admit();
    expect(shadows).toHaveLength(1);
    expect((await failure(admit())).message).toStartWith('The limit of this tenant');
    expect(shadows).toHaveLength(1);
  });
});

describe('while the counters do not answer', () => {
  const down = (): CounterStore => {
    const refuse = () => Promise.reject(new SekishoError('storage_unavailable'));
    return { ...createMemoryCounterStore(), take: refuse, settle: refuse, renew: refuse, seed: refuse };
  };
  const withFallback = (whenDown: 'count-alone' | 'refuse', told: SekishoError[] = []) => ({
    counters: down(),
    fallback: createMemoryCounterStore(),
    whenDown,
    onStoreDown: (error: SekishoError) => void told.push(error),
  });

  test('limits without money are counted alone', async () => {
    const told: SekishoError[] = [];
    const { admit } = setUp({ limits: { concurrency: 1 }, options: withFallback('count-alone', told) });
    const first = await admit();
    expect(await codeOf(admit())).toBe('rate_limited');
    await first.settle({ tokens: 0, costMicros: 0 });
    expect(await codeOf(admit())).toBe('ok');
    expect(told).toHaveLength(3);
  });

  test('or refused, where that is wished', async () => {
    const { admit } = setUp({ limits: { concurrency: 1 }, options: withFallback('refuse') });
    expect(await codeOf(admit())).toBe('storage_unavailable');
  });

  test('a budget refuses in either case, unless it is only observed', async () => {
    const limits = { requestsPerDay: 9, budgetMicros: 1_000 };
    expect(await codeOf(setUp({ limits, options: withFallback('count-alone') }).admit())).toBe('storage_unavailable');
    const shadow = setUp({ limits: { ...limits, shadow: true }, options: withFallback('refuse') });
    expect(await codeOf(shadow.admit())).toBe('ok');
  });

  test('a ledger that cannot be read refuses a budget', async () => {
    const spent = (): never => {
      throw new SekishoError('storage_unavailable');
    };
    expect(await codeOf(setUp({ limits: { budgetMicros: 1_000 }, spent }).admit())).toBe('storage_unavailable');
  });

  test('settling never fails a call that was answered', async () => {
    const { admit, counters } = setUp({ limits: { concurrency: 1 } });
    const open = await admit();
    counters.settle = () => Promise.reject(new SekishoError('storage_unavailable'));
    await open.settle({ tokens: 1, costMicros: 1 });
  });
});

test('an open call keeps what it holds beyond its lease; an abandoned one loses it', async () => {
  const { admit, counters, admission, pass } = setUp({ limits: { concurrency: 1 }, options: { leaseMs: 30 } });
  let renewed = (): void => undefined;
  const renewal = new Promise<void>((resolve) => {
    renewed = resolve;
  });
  const { renew } = counters;
  counters.renew = async (ids, leaseMs) => {
    await renew(ids, leaseMs);
    renewed();
  };
  await admit();
  pass(25);
  await renewal;
  admission.close();
  pass(20);
  expect(await codeOf(admit())).toBe('rate_limited');
  pass(11);
  expect(await codeOf(admit())).toBe('ok');
});
