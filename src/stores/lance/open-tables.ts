import { totalmem } from 'node:os';
import { Index, Session, connect } from '@lancedb/lancedb';
import type { Connection, Table } from '@lancedb/lancedb';
import { SLOT_COLUMN, chunkSchema, dimensionsOf } from './chunk-columns.ts';

const MEBIBYTE = 1024 * 1024;
/** Partitions and postings are cached piece by piece; what upkeep has replaced stays until it is pushed out. */
const INDEX_CACHE_BYTES = Math.min(1024 * MEBIBYTE, Math.floor(totalmem() / 8));
const METADATA_CACHE_BYTES = 256 * MEBIBYTE;
/** How long the commits of another process may stay unseen; our own are seen at once. */
const READ_CONSISTENCY_SECONDS = 2;
const MOST_OPEN = 512;

/** A table in use. Its writers queue behind `lastWrite`, so that no two commits of this process race. */
export interface OpenTable {
  /** Distinct for every opening: what is remembered of a dropped table is never taken for its successor. */
  readonly id: number;
  readonly name: string;
  readonly table: Table;
  readonly dimensions: number;
  lastWrite: Promise<unknown>;
  busy: number;
  /** Aborted when the table is about to be dropped: work on it that nobody waits for ends then. */
  readonly leaving: AbortController;
}

/** The tables of one folder (or bucket address), opened once and kept. */
export interface OpenTables {
  /** The table, or undefined where there is none (yet). */
  find(name: string): Promise<OpenTable | undefined>;
  /** The table, made where it does not exist. */
  findOrMake(name: string, dimensions: number): Promise<OpenTable>;
  /** Runs one write after those that were asked for before it. */
  write<T>(open: OpenTable, work: () => Promise<T>): Promise<T>;
  drop(name: string): Promise<void>;
  /** Forgets a handle; the next use opens the table again. */
  forget(name: string): void;
  all(): Iterable<OpenTable>;
  close(): void;
}

/** Opens the folder. Nothing is created in it before the first write. */
export async function openTables(folder: string): Promise<OpenTables> {
  const session = new Session(BigInt(INDEX_CACHE_BYTES), BigInt(METADATA_CACHE_BYTES));
  const connection = await connect(folder, { readConsistencyInterval: READ_CONSISTENCY_SECONDS }, session);
  const found = new Map<string, Promise<OpenTable | undefined>>();
  const settled = new Map<string, OpenTable>();
  let openings = 0;
  const making = new Map<string, Promise<OpenTable>>();

  function keep(name: string, opening: Promise<OpenTable | undefined>): Promise<OpenTable | undefined> {
    found.set(name, opening);
    const forgetIfOurs = (): void => {
      if (found.get(name) === opening) found.delete(name);
    };
    opening.then((open) => {
      if (open === undefined) return forgetIfOurs();
      if (found.get(name) !== opening) return;
      settled.set(name, open);
      trim();
    }, forgetIfOurs);
    return opening;
  }

  function trim(): void {
    for (const [name, open] of settled) {
      if (settled.size <= MOST_OPEN) return;
      if (open.busy === 0) forget(name);
    }
  }

  function forget(name: string): void {
    found.delete(name);
    settled.delete(name);
  }

  const find = (name: string): Promise<OpenTable | undefined> =>
    found.get(name) ?? keep(name, openExisting(connection, name, openings++));

  return {
    find,
    async findOrMake(name, dimensions) {
      const existing = await find(name);
      if (existing !== undefined) return existing;
      const others = making.get(name);
      if (others !== undefined) return others;
      const made = make(connection, name, dimensions, openings++).finally(() => making.delete(name));
      making.set(name, made);
      void keep(name, made);
      return made;
    },
    write(open, work) {
      open.busy++;
      const run = open.lastWrite.then(work);
      open.lastWrite = run.catch(() => undefined).finally(() => open.busy--);
      return run;
    },
    async drop(name) {
      const open = await find(name);
      if (open === undefined) return;
      await open.lastWrite;
      forget(name);
      await connection.dropTable(name);
    },
    forget,
    all: () => settled.values(),
    close() {
      found.clear();
      settled.clear();
      connection.close();
    },
  };
}

async function openExisting(connection: Connection, name: string, id: number): Promise<OpenTable | undefined> {
  try {
    return await toOpenTable(name, await connection.openTable(name), id);
  } catch (thrown) {
    if (thrown instanceof Error && thrown.message.includes('was not found')) return undefined;
    throw thrown;
  }
}

async function make(connection: Connection, name: string, dimensions: number, id: number): Promise<OpenTable> {
  const table = await connection.createEmptyTable(name, chunkSchema(dimensions), { existOk: true });
  return toOpenTable(name, table, id);
}

/** Makes sure of the indexes that every search needs: a crash may have come between the table and its indexes. */
async function toOpenTable(name: string, table: Table, id: number): Promise<OpenTable> {
  const indexed = new Set((await table.listIndices()).flatMap((index) => index.columns));
  for (const { column, config } of searchStructures()) {
    if (!indexed.has(column)) await table.createIndex(column, { config });
  }
  const dimensions = dimensionsOf(await table.schema());
  return { id, name, table, dimensions, lastWrite: Promise.resolve(), busy: 0, leaving: new AbortController() };
}

/** What every table is searched by, beside the vectors. */
export function searchStructures(): { column: string; config: Index }[] {
  return [
    { column: 'terms', config: termsIndex() },
    { column: 'tags', config: Index.labelList() },
    ...['document_id', SLOT_COLUMN].map((column) => ({ column, config: Index.btree() })),
  ];
}

/** The terms come ready from our own tokeniser: split at white space, change nothing, drop nothing. */
function termsIndex(): Index {
  return Index.fts({
    baseTokenizer: 'whitespace',
    withPosition: false,
    maxTokenLength: 65_536,
    lowercase: false,
    stem: false,
    removeStopWords: false,
    asciiFolding: false,
  });
}
