import { Database } from 'bun:sqlite';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../../src/lib/json.ts';
import type { LedgerEntry } from '../../src/spec/ledger.ts';
import { eventually } from './eventually.ts';

/** A row of the ledger table, as far as tests look at it. */
export interface LedgerRow {
  request_id: string;
  route: string;
  target: string;
  wire: string;
  input_tokens: number;
  output_tokens: number;
  cached_input_tokens: number;
  reasoning_tokens: number;
  usage_basis: string;
  cost_micros: number | null;
  outcome: string;
  error_code: string | null;
  attempts: number;
  streamed: number;
}

/** The ledger of a data folder, read from outside the server: what is in neither file is not acknowledged. */
export interface LedgerReader {
  rows(): LedgerRow[];
  /** The one row of a request, as soon as it is there. @throws where there is none in time, or more than one. */
  settled(requestId: string | null): Promise<LedgerRow>;
  close(): void;
}

/** Opens the SQLite database of a data folder for reading. */
export function openLedger(dataFolder: string): LedgerReader {
  const name = readdirSync(dataFolder).find((file) => /\.(db|sqlite)$/.test(file));
  if (name === undefined) throw new Error(`There is no database in ${dataFolder}.`);
  const database = new Database(join(dataFolder, name), { readonly: true });
  const rows = (): LedgerRow[] => {
    // The journal first: what leaves it meanwhile is in the table by then.
    const written = journalled(join(dataFolder, 'ledger-journal'));
    const stored = database.query<LedgerRow & { id: string }, []>('SELECT * FROM ledger ORDER BY at_ms').all();
    const known = new Set(stored.map(({ id }) => id));
    return [...stored, ...written.filter(({ id }) => !known.has(id)).map(rowOf)];
  };
  return {
    rows,
    settled: async (requestId) => {
      const found = await eventually(`the ledger row of ${requestId}`, () => {
        const own = rows().filter((row) => row.request_id === requestId);
        return own.length > 0 && own;
      });
      const [row] = found;
      if (row === undefined || found.length > 1) throw new Error(`${requestId} was settled ${found.length} times.`);
      return row;
    },
    close: () => database.close(),
  };
}

/** The entries that are written down and perhaps not in the table yet. */
function journalled(folder: string): LedgerEntry[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      try {
        return readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1);
      } catch {
        // Dropped since it was listed.
        return [];
      }
    })
    .map((line) => parseJson(line) as unknown as LedgerEntry);
}

function rowOf(entry: LedgerEntry): LedgerRow {
  const { usage } = entry;
  return {
    request_id: entry.requestId,
    route: entry.route,
    target: entry.target,
    wire: entry.wire,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cached_input_tokens: usage.cachedInputTokens,
    reasoning_tokens: usage.reasoningTokens,
    usage_basis: usage.basis,
    cost_micros: entry.costMicros,
    outcome: entry.outcome,
    error_code: entry.errorCode ?? null,
    attempts: entry.attempts,
    streamed: entry.streamed ? 1 : 0,
  };
}
