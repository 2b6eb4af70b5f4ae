import { describe, expect, test } from 'bun:test';
import type { Provider } from '../ports/provider.ts';
import type { SekishoError } from '../spec/errors.ts';
import type { Price } from '../spec/money.ts';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { Limits } from '../spec/limits.ts';
import type { Principal } from '../spec/principal.ts';
import { createMemoryCounterStore } from '../stores/memory/memory-counter-store.ts';
import { createAdmission } from './admission.ts';
import type { Plan } from './route-book.ts';

const endpoint: Provider = { name: 'up', wire: 'openai' };
const plan = (price?: Price): Plan => ({
  route: 'r',
  targets: [{ name: 'up/m', provider: 'up', model: 'm', weight: 1, endpoint, ...(price && { price }) }],
  retry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
});
const DOLLAR = { inputPerMillion: 1, outputPerMillion: 1 };

function setUp(limits: Limits, spent = 0) {
  const clock = { now: Date.parse('2026-03-10T00:00:00Z'), nowMs: () => clock.now, monotonicMs: () => clock.now };
  const ledger = {
    append: () => Promise.resolve(),
    spentMicros: () => Promise.resolve(spent),
    usage: () => Promise.resolve([]),
  };
  const principal: Principal = {
    tenantId: DEFAULT_TENANT,
    keyId: 'key_a',
    name: 'a',
    role: 'member',
    allowedRoutes: [],
    limits,
  };
  const admission = createAdmission({ counters: createMemoryCounterStore(), ledger, clock });
  const estimate = (tokens: number) => () => ({ inputTokens: tokens, maxOutputTokens: 0 });
  return {
    clock,
    admit: (tokens = 100) => admission.admit(principal, plan(DOLLAR), estimate(tokens)),
    admitUnpriced: () => admission.admit(principal, plan(), estimate(1)),
  };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (thrown: unknown) => (thrown as SekishoError).code,
  );

describe('admission', () => {
  test('C1: of many concurrent calls on a budget for one exactly one passes', async () => {
    const { admit } = setUp({ budgetMicros: 150 });
    const codes = await Promise.all(Array.from({ length: 40 }, () => codeOf(admit(100))));
    expect(codes.filter((code) => code === 'ok')).toHaveLength(1);
    expect(codes.filter((code) => code === 'budget_exhausted')).toHaveLength(39);
  });

  test('what was not used comes back, what was used beyond the estimate is taken', async () => {
    const { admit } = setUp({ budgetMicros: 150 });
    const first = await admit(100);
    await first.settle({ tokens: 10, costMicros: 10 });
    const second = await admit(140);
    await second.settle({ tokens: 200, costMicros: 200 });
    expect(await codeOf(admit(1))).toBe('budget_exhausted');
  });

  test('the budget knows what the ledger has seen, and a new month opens it again', async () => {
    const { admit, clock } = setUp({ budgetMicros: 150 }, 100);
    expect(await codeOf(admit(60))).toBe('budget_exhausted');
    expect(await codeOf(admit(50))).toBe('ok');
    clock.now = Date.parse('2026-04-01T00:00:00Z');
    expect(await codeOf(admit(50))).toBe('ok');
  });

  test('a model without a price may not be called on a budget', async () => {
    expect(await codeOf(setUp({ budgetMicros: 1_000_000 }).admitUnpriced())).toBe('unpriced_model');
    expect(await codeOf(setUp({ requestsPerMinute: 10 }).admitUnpriced())).toBe('ok');
  });

  test('a refused limit takes nothing from the others and says when to come back', async () => {
    const { admit, clock } = setUp({ requestsPerMinute: 2, concurrency: 1 });
    const open = await admit();
    expect(await codeOf(admit())).toBe('rate_limited');
    await open.settle({ tokens: 1, costMicros: 1 });
    expect(await codeOf(admit())).toBe('ok');
    clock.now += 60_000;
    expect(await codeOf(admit())).toBe('rate_limited');
  });
});
