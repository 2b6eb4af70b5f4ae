export type SqlValue = string | number | null | Uint8Array;

export interface Statement {
  sql: string;
  params: readonly SqlValue[];
}

/**
 * State that outlives the process. SQL is the subset that SQLite and Postgres share; parameters are `?`.
 * There is no interactive transaction: a connection is never held across an await of a caller,
 * so no statement of one caller can slip into the transaction of another.
 */
export interface Database {
  all<Row extends object>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>;
  run(sql: string, params?: readonly SqlValue[]): Promise<{ changes: number }>;
  /** All statements in one transaction, in order; all or nothing. */
  batch(statements: readonly Statement[]): Promise<void>;
  /** Makes what was deleted unreadable in the files too, where a store that is its own server does not see to that. */
  scrub?(): Promise<void>;
  close(): Promise<void>;
}

/** A step of the schema. Each room lists its own; ids are unique, applied once, in order, and never edited. */
export interface Migration {
  id: string;
  sql: readonly string[];
}
