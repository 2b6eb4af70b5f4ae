import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../migrate.ts';
import type { Database } from '../ports/database.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { noUsage } from '../spec/usage.ts';
import { createFileJournal } from '../stores/filesystem/file-journal.ts';
import { createSqliteDatabase } from '../stores/sqlite/sqlite-database.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { createLedgerWriter, type LedgerWriter } from './ledger-writer.ts';
import { csvCell, exportLedger } from './ledger-export.ts';
import { gatewayMigrations } from './schema.ts';

const NOON = Date.parse('2026-11-20T12:00:00Z');
const DAY_MS = 86_400_000;

let folder: string;
let database: Database;
let writer: LedgerWriter;
let ledger: Ledger;
let count = 0;
beforeEach(async () => {
  database = createSqliteDatabase({ path: ':memory:' });
  await migrate(database, gatewayMigrations);
  folder = mkdtempSync(join(tmpdir(), 'sekisho-ledger-'));
  writer = createLedgerWriter({ database, journal: createFileJournal({ folder }) });
  ledger = createLedger(database, writer);
  count = 0;
});
afterEach(async () => {
  await writer.close();
  await database.close();
  rmSync(folder, { recursive: true });
});

function entry(given: Partial<LedgerEntry> = {}): LedgerEntry {
  count++;
  return {
    id: `led_${String(count).padStart(8, '0')}`,
    requestId: `req_${count}`,
    tenantId: 'ten_a',
    keyId: 'key_a',
    atMs: NOON,
    operation: 'chat',
    route: 'fast',
    target: 'up/gpt',
    wire: 'openai',
    upstreamModel: 'gpt',
    usage: { ...noUsage('reported'), inputTokens: 100, cachedInputTokens: 40, outputTokens: 10, reasoningTokens: 4 },
    costMicros: 10,
    outcome: 'ok',
    attempts: 1,
    streamed: false,
    durationMs: 12.5,
    ...given,
  };
}

const write = (...entries: LedgerEntry[]) => Promise.all(entries.map((each) => ledger.append(each)));
const always = { tenantId: 'ten_a' as const, fromMs: 0, toMs: NOON + 40 * DAY_MS };

describe('what is written', () => {
  test('an entry comes back as it was written, with all parts of its usage', async () => {
    const full = entry({
      team: 'search',
      endUser: 'ann',
      tags: ['env=prod', 'beta'],
      cache: 'miss',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      errorCode: 'upstream_timeout',
      outcome: 'error',
      streamed: true,
      firstByteMs: 3.25,
      costMicros: null,
      usage: {
        ...noUsage('reported'),
        inputTokens: 9,
        audioInputTokens: 1,
        audioOutputTokens: 2,
        imageInputTokens: 3,
        imageOutputTokens: 4,
        longCacheWriteTokens: 5,
        searchUnits: 6,
      },
    });
    const plain = entry();
    await write(full, plain);
    expect(await ledger.page({ ...always, limit: 10 })).toEqual([full, plain]);
  });

  test('any number of entries of one turn is written, each once', async () => {
    for (const many of [1, 3, 4, 15, 16, 17, 39]) await write(...Array.from({ length: many }, () => entry()));
    const ids = (await ledger.page({ ...always, limit: 1_000 })).map(({ id }) => id);
    expect(ids).toHaveLength(95);
    expect(new Set(ids).size).toBe(95);
  });

  test('a ledger of the version before takes the new columns and keeps its rows', async () => {
    const old = createSqliteDatabase({ path: ':memory:' });
    await migrate(old, gatewayMigrations.slice(0, 1));
    await old.run(
      `INSERT INTO ledger VALUES ('led_1', 'req_1', 'ten_a', 'key_a', NULL, ${NOON}, 'chat', 'fast', 'up/gpt', 'openai',
        'gpt', 1, 2, 0, 0, 0, 'reported', 3, 'ok', NULL, 1, 0, 4.5, NULL)`,
    );
    await migrate(old, gatewayMigrations);
    expect(await createLedger(old, writer).spentMicros({ tenantId: 'ten_a', keyId: 'key_a' }, 0)).toBe(3);
    await old.close();
  });
});

describe('what was spent', () => {
  beforeEach(() =>
    write(
      entry({ costMicros: 1, team: 'one', endUser: 'ann' }),
      entry({ costMicros: 2, keyId: 'key_b', route: 'careful' }),
      entry({ costMicros: 4, team: 'one', target: 'up/other', atMs: NOON + DAY_MS }),
      entry({ costMicros: 8, tenantId: 'ten_b', team: 'one', endUser: 'ann' }),
      entry({ costMicros: null }),
      entry({ costMicros: 16, atMs: NOON - 40 * DAY_MS }),
    ),
  );

  test('by each subject of a tenant, and by several at once', async () => {
    const spent = (filter: object, sinceMs = NOON - DAY_MS) =>
      ledger.spentMicros({ tenantId: 'ten_a', ...filter }, sinceMs);
    expect(await spent({})).toBe(7);
    expect(await spent({ keyId: 'key_a' })).toBe(5);
    expect(await spent({ team: 'one' })).toBe(5);
    expect(await spent({ endUser: 'ann' })).toBe(1);
    expect(await spent({ route: 'careful' })).toBe(2);
    expect(await spent({ target: 'up/other' })).toBe(4);
    expect(await spent({ team: 'one', target: 'up/gpt' })).toBe(1);
    expect(await spent({ team: 'two' })).toBe(0);
  });

  test('since a time, that time among it', async () => {
    expect(await ledger.spentMicros({ tenantId: 'ten_a' }, NOON + DAY_MS)).toBe(4);
    expect(await ledger.spentMicros({ tenantId: 'ten_a' }, NOON + DAY_MS + 1)).toBe(0);
    expect(await ledger.spentMicros({ tenantId: 'ten_a' }, 0)).toBe(23);
    expect(await ledger.spentMicros({ tenantId: 'ten_nobody' }, 0)).toBe(0);
  });

  test('on a target, by all tenants together', async () => {
    expect(await ledger.spentMicros({ target: 'up/gpt' }, NOON - DAY_MS)).toBe(11);
  });
});

describe('the report', () => {
  test('sums by one group over days, the dearest first, calls without a price apart', async () => {
    await write(
      entry({ costMicros: 5, cache: 'hit' }),
      entry({ costMicros: 5, atMs: NOON + DAY_MS, outcome: 'aborted' }),
      entry({ costMicros: 90, route: 'careful' }),
      entry({ costMicros: null, route: 'free' }),
    );
    const rows = await ledger.usage({ ...always, by: ['route'] });
    expect(rows.map(({ group }) => group)).toEqual([['careful'], ['fast'], ['free']]);
    expect(rows[1]).toEqual({
      group: ['fast'],
      requests: 2,
      failed: 1,
      cacheHits: 1,
      inputTokens: 200,
      cachedInputTokens: 80,
      outputTokens: 20,
      reasoningTokens: 8,
      costMicros: 10,
      unpriced: 0,
    });
    expect(rows[2]).toMatchObject({ requests: 1, costMicros: 0, unpriced: 1 });
  });

  test('by two groups, days in their order, a call without the group under an empty name', async () => {
    await write(
      entry({ atMs: NOON + DAY_MS, team: 'b', costMicros: 100 }),
      entry({ team: 'b', costMicros: 1 }),
      entry({ costMicros: 2 }),
      entry({ atMs: Date.parse('2026-11-20T23:59:59.999Z'), team: 'b', costMicros: 3 }),
    );
    const rows = await ledger.usage({ ...always, by: ['day', 'team'] });
    expect(rows.map(({ group, costMicros }) => [...group, costMicros])).toEqual([
      ['2026-11-20', 'b', 4],
      ['2026-11-20', '', 2],
      ['2026-11-21', 'b', 100],
    ]);
  });

  test('of a period without its end, of one tenant, of one key', async () => {
    await write(
      entry(),
      entry({ atMs: NOON + 5 }),
      entry({ keyId: 'key_b' }),
      entry({ tenantId: 'ten_b', keyId: 'key_a' }),
    );
    const period = { tenantId: 'ten_a' as const, fromMs: NOON, toMs: NOON + 5 };
    expect(await ledger.usage({ ...period, by: ['tenant'] })).toMatchObject([{ group: ['ten_a'], requests: 2 }]);
    expect(await ledger.usage({ ...period, keyId: 'key_b', by: ['model'] })).toMatchObject([{ requests: 1 }]);
  });
});

describe('the export', () => {
  const text = async (format: 'csv' | 'jsonl' | 'json', from = ledger) =>
    (await Array.fromAsync(exportLedger(from, { ...always, format }))).join('');

  test('every entry once and in order, over pages and within one millisecond', async () => {
    await write(...Array.from({ length: 1_203 }, (_, index) => entry({ atMs: NOON + Math.floor(index / 400) })));
    const ids = (await text('jsonl'))
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(ids).toHaveLength(1_203);
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(JSON.parse(await text('json'))).toHaveLength(1_203);
    expect((await text('csv')).split('\r\n')).toHaveLength(1_203 + 2);
  });

  test('never holds more than a page, and stops reading when its reader leaves', async () => {
    await write(...Array.from({ length: 1_203 }, () => entry()));
    const sizes: number[] = [];
    const watched: Pick<Ledger, 'page'> = {
      page: async (query) => {
        const page = await ledger.page(query);
        sizes.push(page.length);
        return page;
      },
    };
    const pages = exportLedger(watched, { ...always, format: 'jsonl' });
    await pages.next();
    await pages.return(undefined);
    expect(sizes).toEqual([500]);
  });

  test('an empty period is a header, nothing, and an empty array', async () => {
    expect(await text('csv')).toStartWith('id,at,request_id,');
    expect(await text('jsonl')).toBe('');
    expect(JSON.parse(await text('json'))).toEqual([]);
  });

  test('money stands in micro-dollars and in dollars, unknown as nothing', async () => {
    await write(entry({ costMicros: 1_234 }), entry({ costMicros: null }));
    const rows = JSON.parse(await text('json')) as { cost_micros: unknown; cost_usd: unknown }[];
    expect(rows.map(({ cost_micros, cost_usd }) => [cost_micros, cost_usd])).toEqual([
      [1_234, '0.001234'],
      [null, null],
    ]);
  });

  test('a cell is no formula and no row of its own', () => {
    expect(csvCell('=HYPERLINK("http://x")')).toBe(`"'=HYPERLINK(""http://x"")"`);
    for (const start of ['+', '-', '@', '\t', '\r', '＝']) expect(csvCell(`${start}1`)).toStartWith(`"'`);
    expect(csvCell('a,b')).toBe('"a,b"');
    expect(csvCell('a\r\nb')).toBe('"a\r\nb"');
    expect(csvCell('関所')).toBe('関所');
    expect(csvCell(-5)).toBe('-5');
    expect(csvCell(null)).toBe('');
  });
});
