import { isJsonObject, parseJson } from '../lib/json.ts';
import type { Database } from '../ports/database.ts';
import type { Journal } from '../ports/journal.ts';
import { SekishoError } from '../spec/errors.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { insertsOf } from './ledger-rows.ts';

/** Brings entries into the ledger table. */
export interface LedgerWriter {
  /** Resolves when the entry survives the death of the process. */
  append(entry: LedgerEntry): Promise<void>;
  /** Resolves when everything appended before is in the table. @throws SekishoError storage_unavailable. */
  flush(): Promise<void>;
  /** Brings in what an earlier process appended and did not flush. */
  recover(): Promise<void>;
  /** Flushes as far as the database answers; what stays behind is in the journal. */
  close(): Promise<void>;
}

const FLUSH_AFTER_MS = 100;
const RETRY_AFTER_MS = 500;
/** Entries that wait for a database that is down; beyond, calls cannot be acknowledged. */
const MAX_WAITING = 200_000;
const ROWS_PER_BATCH = 512;
const HURRY_ROWS = 1_024;

/**
 * Entries go into the journal turn by turn of the event loop, one write for all of a turn, and from there into the
 * table in large batches: a transaction per call would cost several times as much, and a database that is down or
 * locked holds up no call. After a failure it is not known what of a batch was written, so what is there is looked for.
 */
export function createLedgerWriter(options: {
  database: Database;
  journal: Journal;
  /** Told of each batch that the database did not take. */
  onTrouble?: (error: unknown) => void;
}): LedgerWriter {
  const { database, journal } = options;
  let turn: { entries: LedgerEntry[]; kept: Promise<void> } | undefined;
  let waiting: LedgerEntry[] = [];
  let isDoubtful = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;

  function endTurn(entries: LedgerEntry[]): void {
    turn = undefined;
    if (waiting.length >= MAX_WAITING) {
      const cause = new Error(`${MAX_WAITING} entries wait for the database.`);
      throw new SekishoError('storage_unavailable', { cause });
    }
    journal.append(entries.map((entry) => JSON.stringify(entry)));
    for (const entry of entries) waiting.push(entry);
    if (waiting.length >= HURRY_ROWS && running === undefined) schedule(0);
    else schedule(FLUSH_AFTER_MS);
  }

  function schedule(afterMs: number): void {
    if (timer !== undefined && afterMs > 0) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      // Flushes that wait for one another would keep whoever asks for a sum waiting for all of them.
      if (running !== undefined) return schedule(FLUSH_AFTER_MS);
      flush().catch((error: unknown) => {
        options.onTrouble?.(error);
        schedule(RETRY_AFTER_MS);
      });
    }, afterMs);
  }

  async function writeWaiting(): Promise<void> {
    const entries = waiting;
    const part = journal.cut();
    waiting = [];
    let written = 0;
    try {
      for (; written < entries.length; written += ROWS_PER_BATCH) {
        const batch = entries.slice(written, written + ROWS_PER_BATCH);
        const missing = isDoubtful ? await missingOf(batch) : batch;
        if (missing.length > 0) await database.batch(insertsOf(missing));
        isDoubtful = false;
      }
      journal.drop(part);
    } catch (thrown) {
      isDoubtful = true;
      waiting = [...entries.slice(written), ...waiting];
      throw thrown;
    }
  }

  async function flush(): Promise<void> {
    // Whoever asks while a flush runs may have appended after it began.
    while (running !== undefined) await running.catch(() => undefined);
    if (turn !== undefined) await turn.kept;
    if (waiting.length === 0) return;
    running = writeWaiting().finally(() => {
      running = undefined;
    });
    return running;
  }

  /** The entries that the table does not hold yet. */
  async function missingOf(entries: readonly LedgerEntry[]): Promise<LedgerEntry[]> {
    const missing: LedgerEntry[] = [];
    for (const [tenantId, own] of Map.groupBy(entries, (entry) => entry.tenantId)) {
      const times = own.map(({ atMs }) => atMs);
      const rows = await database.all<{ id: string }>(
        'SELECT id FROM ledger WHERE tenant_id = ? AND at_ms >= ? AND at_ms <= ?',
        [tenantId, Math.min(...times), Math.max(...times)],
      );
      const there = new Set(rows.map(({ id }) => id));
      missing.push(...own.filter(({ id }) => !there.has(id)));
    }
    return missing;
  }

  return {
    append: (entry) => {
      if (turn === undefined) {
        const entries: LedgerEntry[] = [];
        const kept = new Promise<void>((resolve) => setImmediate(resolve)).then(() => endTurn(entries));
        turn = { entries, kept };
      }
      turn.entries.push(entry);
      return turn.kept;
    },
    flush,
    recover: async () => {
      const left = journal.left().flatMap(entriesOf);
      waiting = [...left, ...waiting];
      isDoubtful = left.length > 0;
      if (left.length > 0) await flush();
      else journal.drop(journal.cut() - 1);
    },
    close: async () => {
      clearTimeout(timer);
      await flush().catch((error: unknown) => options.onTrouble?.(error));
      clearTimeout(timer);
      journal.close();
    },
  };
}

/** The entry of a line. Lines are written by nobody but `append`, so that what parses is an entry. */
function entriesOf(line: string): LedgerEntry[] {
  const entry = parseJson(line);
  return isJsonObject(entry) && typeof entry['id'] === 'string' ? [entry as unknown as LedgerEntry] : [];
}
