import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../migrate.ts';
import type { Database } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { noUsage } from '../spec/usage.ts';
import { createFileJournal } from '../stores/filesystem/file-journal.ts';
import { createSqliteDatabase } from '../stores/sqlite/sqlite-database.ts';
import { createLedgerWriter } from './ledger-writer.ts';
import { gatewayMigrations } from './schema.ts';

let folder: string;
let database: Database;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sekisho-writer-'));
  database = createSqliteDatabase({ path: ':memory:' });
  await migrate(database, gatewayMigrations);
});
afterEach(async () => {
  await database.close();
  rmSync(folder, { recursive: true });
});

const open = (over: Database = database) =>
  createLedgerWriter({ database: over, journal: createFileJournal({ folder }) });
const entry = (n: number): LedgerEntry => ({
  id: `led_${n}`,
  requestId: `req_${n}`,
  tenantId: n % 2 === 0 ? 'ten_a' : 'ten_b',
  keyId: 'key_a',
  atMs: 1_000 + n,
  operation: 'chat',
  route: 'fast',
  target: 'up/gpt',
  wire: 'openai',
  upstreamModel: 'gpt',
  usage: noUsage(),
  costMicros: 1,
  outcome: 'ok',
  attempts: 1,
  streamed: false,
  durationMs: 1,
});
const stored = async (): Promise<string[]> =>
  (await database.all<{ id: string }>('SELECT id FROM ledger ORDER BY at_ms')).map(({ id }) => id);
const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => `led_${n}`);

/** A database whose n-th batch fails, before or after it did its work. */
function failing(how: 'before' | 'after', failures: number): Database {
  let left = failures;
  return {
    ...database,
    batch: async (statements) => {
      const fails = left-- > 0;
      if (fails && how === 'before') throw new SekishoError('storage_unavailable');
      await database.batch(statements);
      if (fails) throw new SekishoError('storage_unavailable');
    },
  };
}

describe('the writer of the ledger', () => {
  test('what is appended is in the table after a flush, in any number, once', async () => {
    const writer = open();
    await Promise.all(Array.from({ length: 1_500 }, (_, n) => writer.append(entry(n))));
    await writer.flush();
    expect(await stored()).toEqual(ids(1_500));
    expect(readdirSync(folder)).toEqual([]);
    await writer.close();
  });

  test('a process that ends before its flush has lost nothing', async () => {
    await Promise.all([0, 1, 2].map((n) => open().append(entry(n))));
    expect(await stored()).toEqual([]);
    const next = open();
    await next.recover();
    expect(await stored()).toEqual(ids(3));
    expect(readdirSync(folder)).toEqual([]);
    await next.close();
  });

  test('a process that ends between the table and the journal has doubled nothing', async () => {
    const journal = createFileJournal({ folder });
    const writer = createLedgerWriter({ database, journal: { ...journal, drop: () => undefined } });
    for (const n of [0, 1, 2]) await writer.append(entry(n));
    await writer.flush();
    const next = open();
    await next.recover();
    await next.append(entry(3));
    await next.flush();
    expect(await stored()).toEqual(ids(4));
    await next.close();
  });

  test('a record that the end of its process tore is left out', async () => {
    const writer = open();
    await writer.append(entry(0));
    const [part] = readdirSync(folder);
    appendFileSync(join(folder, part ?? ''), JSON.stringify(entry(1)).slice(0, 40));
    const next = open();
    await next.recover();
    expect(await stored()).toEqual(ids(1));
    await next.close();
  });

  test.each(['before', 'after'] as const)('a batch that fails %s its work is written once', async (how) => {
    const writer = open(failing(how, 2));
    for (const n of [0, 1]) await writer.append(entry(n));
    expect(writer.flush()).rejects.toThrow(SekishoError);
    for (const n of [2, 3]) await writer.append(entry(n));
    expect(writer.flush()).rejects.toThrow(SekishoError);
    await writer.flush();
    expect(await stored()).toEqual(ids(4));
    await writer.close();
  });

  test('what cannot be written down is not acknowledged', async () => {
    const journal = createFileJournal({ folder });
    const full = () => {
      throw new SekishoError('storage_unavailable');
    };
    const writer = createLedgerWriter({ database, journal: { ...journal, append: full } });
    expect(writer.append(entry(0))).rejects.toThrow(SekishoError);
  });
});

test('a flush that takes long is not followed by one for each turn of the timer', async () => {
  let batches = 0;
  let go = (): void => undefined;
  const slow: Database = {
    ...database,
    batch: async (statements) => {
      batches++;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      await database.batch(statements);
    },
  };
  const writer = open(slow);
  await writer.append(entry(0));
  const first = writer.flush();
  for (let n = 1; n < 4; n++) {
    await writer.append(entry(n));
    // Longer than the writer waits before it flushes by itself.
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  expect(batches).toBe(1);
  go();
  await first;
  const second = writer.flush();
  while (batches < 2) await new Promise((resolve) => setImmediate(resolve));
  go();
  await second;
  expect(batches).toBe(2);
  expect(await stored()).toEqual(ids(4));
  await writer.close();
});
