import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalogue } from '../../src/gateway/catalogue.ts';
import { createLedger } from '../../src/gateway/ledger.ts';
import { createLedgerWriter } from '../../src/gateway/ledger-writer.ts';
import type { ModelCall } from '../../src/gateway/model-call.ts';
import { openGateway, type GatewayEvents } from '../../src/gateway/open-gateway.ts';
import { gatewayMigrations } from '../../src/gateway/schema.ts';
import { decodeChatRequest } from '../../src/http/dialects/openai/decode-request.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemSleep } from '../../src/lib/sleep.ts';
import { migrate } from '../../src/migrate.ts';
import { createTokenCounter } from '../../src/nlp/count-tokens/token-counter.ts';
import type { CounterStore } from '../../src/ports/counter-store.ts';
import type { Database } from '../../src/ports/database.ts';
import type { Journal } from '../../src/ports/journal.ts';
import { createRemoteProvider } from '../../src/providers/registry.ts';
import { toSekishoError } from '../../src/spec/errors.ts';
import { DEFAULT_TENANT, newId } from '../../src/spec/ids.ts';
import { createFileJournal } from '../../src/stores/filesystem/file-journal.ts';
import { createMemoryCounterStore } from '../../src/stores/memory/memory-counter-store.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { failingAt, type Moment } from './nth-call.ts';

let upstream: FakeProvider;
beforeAll(async () => {
  upstream = await startFakeProvider();
});
afterAll(() => upstream.stop());

const BODY = { model: 'fast', stream: true, messages: [{ role: 'user', content: 'hi' }] };
const NOBODY = (): void => undefined;
const EVENTS: GatewayEvents = {
  onSettled: NOBODY,
  onUncarried: NOBODY,
  onAttemptFailed: NOBODY,
  onHedged: NOBODY,
  onBreaker: NOBODY,
  onFleet: NOBODY,
  onFleetProblem: NOBODY,
  onPlace: NOBODY,
  onRefused: NOBODY,
  onShadow: NOBODY,
  onCountersDown: NOBODY,
  onCache: NOBODY,
  onBatch: NOBODY,
};

type Failing = ReturnType<typeof failingAt>;

/** The gateway with its real stores, each call of which may be the one that fails. */
function openStage(database: Database, folder: string, failing: Failing | undefined) {
  const call: Failing['call'] = failing?.call ?? ((work) => work());
  const callNow: Failing['callNow'] = failing?.callNow ?? ((work) => work());
  const wrapped: Database = {
    ...database,
    all: (sql, params) => call(() => database.all(sql, params)),
    run: (sql, params) => call(() => database.run(sql, params)),
    batch: (statements) => call(() => database.batch(statements)),
  };
  const kept = createFileJournal({ folder });
  const journal: Journal = {
    ...kept,
    append: (records) => callNow(() => kept.append(records)),
  };
  const memory = createMemoryCounterStore();
  const counters: CounterStore = {
    ...memory,
    take: (reservation) => call(() => memory.take(reservation)),
    settle: (id, settlements) => call(() => memory.settle(id, settlements)),
    seed: (key, amount) => call(() => memory.seed(key, amount)),
  };
  const writer = createLedgerWriter({ database: wrapped, journal });
  const provider = createRemoteProvider({
    name: 'up',
    wire: 'openai',
    baseUrl: upstream.baseUrl,
    headers: {},
    timeouts: { connectMs: 1_000, firstByteMs: 1_000, betweenDataMs: 1_000 },
    flavour: 'standard',
  });
  const catalogue: Catalogue = {
    providers: [
      {
        provider,
        models: () => [{ model: 'm', kinds: ['chat'] }],
        priceOf: () => ({ inputPerMillion: 1_000, outputPerMillion: 1_000 }),
        trusted: true,
      },
    ],
    routes: [{ name: 'fast', groups: [{ strategy: 'ordered', targets: [{ name: 'up/m', weight: 1 }] }] }],
    targets: new Map(),
    defaultRetry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
    retryShare: 0,
    breaker: { failureShare: 1, minimumCalls: 1_000, windowMs: 1_000, openMs: 1_000 },
  };
  const ledger = createLedger(wrapped, writer);
  const opened = openGateway({
    catalogue: () => catalogue,
    limitsOf: () => undefined,
    placeOf: (name) => name,
    ledger,
    counters,
    whenCountersDown: 'refuse',
    cache: { memoryBytes: 1_000_000, defaultTtlMs: 1_000 },
    batching: { waitMs: 0, maxInputs: 1 },
    countTokens: createTokenCounter(),
    clock: systemClock,
    sleep: systemSleep,
    random: () => 0.5,
    events: EVENTS,
  });
  return {
    health: opened.health,
    ledger,
    recover: writer.recover,
    /** One streamed call to its end: what the caller saw. */
    chat: async (): Promise<{ requestId: string; end: 'finish' | 'error' | 'refused' | 'torn'; code?: string }> => {
      const requestId = newId('req');
      const modelCall: ModelCall = {
        requestId,
        principal: {
          tenantId: DEFAULT_TENANT,
          keyId: 'key_test',
          name: 'test',
          role: 'member',
          allowedRoutes: [],
          limits: { budgetMicros: 1_000_000_000, requestsPerMinute: 1_000, concurrency: 2 },
        },
        route: 'fast',
        signal: new AbortController().signal,
        request: () => decodeChatRequest(BODY),
        native: { wire: 'openai', text: JSON.stringify(BODY), json: BODY },
        stream: true,
      };
      try {
        const answer = await opened.gateway.chat(modelCall);
        if (answer.kind !== 'stream') throw new Error('The answer was not streamed.');
        let end: 'finish' | 'error' | 'torn' = 'torn';
        for await (const frame of answer.frames) {
          for (const part of frame.parts) if (part.type === 'finish' || part.type === 'error') end = part.type;
        }
        return { requestId, end };
      } catch (thrown) {
        return { requestId, end: 'refused', code: toSekishoError(thrown).code };
      }
    },
    close: async () => {
      opened.close();
      await writer.close().catch(NOBODY);
      await counters.close();
      kept.close();
    },
  };
}

interface Row {
  request_id: string;
  cost_micros: number | null;
  outcome: string;
}

test.each<[Moment, 'fail' | 'work']>([
  ['before', 'fail'],
  ['after', 'fail'],
  ['before', 'work'],
  ['after', 'work'],
])(
  'fault 16: whichever store call of a streamed chat fails, %s its effect (later ones %s): settled once or not asked at all',
  async (moment, later) => {
    for (let nth = 1; ; nth++) {
      const folder = mkdtempSync(join(tmpdir(), 'sekisho-nth-'));
      const database = createSqliteDatabase({ path: join(folder, 'sekisho.db') });
      await migrate(database, gatewayMigrations);
      upstream.reset();
      const failing = failingAt(nth, moment, later);
      const stage = openStage(database, join(folder, 'journal'), failing);

      const first = await stage.chat();
      await stage.ledger
        .usage({ tenantId: DEFAULT_TENANT, fromMs: 0, toMs: Date.now() + 1_000, by: ['key'] })
        .catch(NOBODY);
      const failed = failing.calls() >= nth;
      // Whatever failed, nothing is held: no call in flight, no connection to the upstream that nobody reads.
      await upstream.idle();
      expect(stage.health.snapshot().every(({ inFlight }) => inFlight === 0)).toBe(true);
      if (later === 'work' && failed) {
        const second = await stage.chat();
        expect(second.end).toBe('finish');
      }
      await stage.close();

      // The next process, on stores that work.
      const after = openStage(database, join(folder, 'journal'), undefined);
      await after.recover();
      const period = { tenantId: DEFAULT_TENANT, fromMs: 0, toMs: Date.now() + 1_000 };
      await after.ledger.usage({ ...period, by: ['key'] });
      const rows = await database.all<Row>('SELECT request_id, cost_micros, outcome FROM ledger');
      const own = rows.filter((row) => row.request_id === first.requestId);
      const seen = { nth, first, own: own.length, upstream: upstream.requests.length };
      expect(own.length).toBeLessThanOrEqual(1);
      // What the caller was told is complete has its row, with its price.
      if (first.end === 'finish')
        expect({ ...seen, cost: Number(own[0]?.cost_micros) > 0 }).toMatchObject({ cost: true });
      // A call that was refused before it was asked costs nothing.
      if (first.end === 'refused') {
        expect(first.code).toBe('storage_unavailable');
        if (upstream.requests.length === 0) expect(Number(own[0]?.cost_micros ?? 0)).toBe(0);
      }
      const spent = rows.reduce((sum, row) => sum + Number(row.cost_micros), 0);
      expect(await after.ledger.spentMicros({ tenantId: DEFAULT_TENANT, keyId: 'key_test' }, 0)).toBe(spent);
      expect((await after.chat()).end).toBe('finish');
      await after.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
      if (!failed) {
        expect(first.end).toBe('finish');
        // Taking, seeding, settling, the journal, the table.
        expect(nth).toBeGreaterThan(4);
        return;
      }
      expect(nth).toBeLessThan(40);
    }
  },
  30_000,
);
