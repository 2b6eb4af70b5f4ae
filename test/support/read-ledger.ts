import { Database } from 'bun:sqlite';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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

/** The ledger of a data folder, read from outside the server: what is not in the file is not acknowledged. */
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
  const rows = (): LedgerRow[] => database.query<LedgerRow, []>('SELECT * FROM ledger ORDER BY at_ms').all();
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
