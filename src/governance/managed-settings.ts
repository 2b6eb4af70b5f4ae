import { isJsonObject, parseJson, type JsonObject } from '../lib/json.ts';
import type { Clock } from '../lib/clock.ts';
import type { Database, Migration } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import type { KeyId } from '../spec/ids.ts';

/** What administrators set over the API while the process runs; it comes before the same name in the file. */
export const MANAGED_KINDS = ['provider', 'route', 'target', 'limit', 'price'] as const;
export type ManagedKind = (typeof MANAGED_KINDS)[number];

/** One setting as it is in force. `sealed` holds its secrets, which only the vault opens. */
export interface ManagedSetting {
  kind: ManagedKind;
  name: string;
  value: JsonObject;
  sealed: string | undefined;
  revision: number;
  updatedMs: number;
  updatedBy: KeyId;
}

export interface ManagedSettings {
  /** All settings as last read, in no particular order; the same array until something changes. */
  all(): readonly ManagedSetting[];
  find(kind: ManagedKind, name: string): ManagedSetting | undefined;
  /**
   * Sets one; in force in this process when this resolves, in every other within `pollMs`.
   * @throws SekishoError conflict where there are as many as are read already.
   */
  put(
    setting: Pick<ManagedSetting, 'kind' | 'name' | 'value'> & { sealed?: string },
    by: KeyId,
  ): Promise<ManagedSetting>;
  /** Takes one back; false where there is none. */
  remove(kind: ManagedKind, name: string, by: KeyId): Promise<boolean>;
  /** Reads again where another process has changed something. */
  refresh(): Promise<void>;
  /** Told after each change, whoever made it. */
  onChange(listener: () => void): void;
  close(): void;
}

/** A removed setting keeps its row without a value, so that its removal has a revision that others see. */
export const governanceMigrations: Migration[] = [
  {
    id: 'governance-001-managed-settings',
    sql: [
      `CREATE TABLE managed_settings (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT,
        sealed TEXT,
        revision BIGINT NOT NULL,
        updated_ms BIGINT NOT NULL,
        updated_by TEXT NOT NULL,
        PRIMARY KEY (kind, name)
      )`,
      'CREATE UNIQUE INDEX managed_settings_revision ON managed_settings (revision)',
    ],
  },
];

interface Row {
  kind: ManagedKind;
  name: string;
  value: string | null;
  sealed: string | null;
  revision: number;
  updated_ms: number;
  updated_by: KeyId;
}

const MAX_SETTINGS = 10_000;
const WRITE_TRIES = 5;

/** Settings in the database, read into memory and followed by their revision. Call `refresh` once before use. */
export function createManagedSettings(options: {
  database: Database;
  clock: Clock;
  /** Told where the database cannot be read; what was known stays in force. */
  onStale: (error: unknown) => void;
  pollMs: number;
}): ManagedSettings {
  const { database, clock } = options;
  const listeners: (() => void)[] = [];
  let settings: readonly ManagedSetting[] = [];
  let revision = 0;

  async function refresh(): Promise<void> {
    const [latest] = await database.all<{ revision: number | null }>(
      'SELECT MAX(revision) AS revision FROM managed_settings',
    );
    const now = Number(latest?.revision ?? 0);
    if (now === revision) return;
    const rows = await database.all<Row>(
      'SELECT * FROM managed_settings WHERE value IS NOT NULL ORDER BY revision LIMIT ?',
      [MAX_SETTINGS],
    );
    settings = rows.flatMap((row) => settingOf(row) ?? []);
    revision = now;
    for (const listener of listeners) listener();
  }

  /** Writes one row under the next revision; another process may take that revision first, so it is tried again. */
  async function write(row: Omit<Row, 'revision' | 'updated_ms'>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await database.run(
          `INSERT INTO managed_settings (kind, name, value, sealed, revision, updated_ms, updated_by)
           SELECT ?, ?, ?, ?, COALESCE(MAX(revision), 0) + 1, ?, ? FROM managed_settings WHERE true
           ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed,
             revision = excluded.revision, updated_ms = excluded.updated_ms, updated_by = excluded.updated_by`,
          [row.kind, row.name, row.value, row.sealed, clock.nowMs(), row.updated_by],
        );
        return await refresh();
      } catch (thrown) {
        if (tries === WRITE_TRIES) throw thrown;
      }
    }
  }

  const find = (kind: ManagedKind, name: string): ManagedSetting | undefined =>
    settings.find((setting) => setting.kind === kind && setting.name === name);
  const timer = setInterval(() => {
    refresh().catch(options.onStale);
  }, options.pollMs);
  timer.unref();

  return {
    all: () => settings,
    find,
    put: async ({ kind, name, value, sealed }, by) => {
      if (settings.length >= MAX_SETTINGS && find(kind, name) === undefined) {
        throw new SekishoError('conflict', { values: { problem: `there are ${MAX_SETTINGS} settings already` } });
      }
      await write({ kind, name, value: JSON.stringify(value), sealed: sealed ?? null, updated_by: by });
      const written = find(kind, name);
      if (written === undefined) throw new Error(`The setting ${kind} "${name}" was removed while it was written.`);
      return written;
    },
    remove: async (kind, name, by) => {
      // Another process may have made it a moment ago.
      await refresh();
      if (find(kind, name) === undefined) return false;
      await write({ kind, name, value: null, sealed: null, updated_by: by });
      return true;
    },
    refresh,
    onChange: (listener) => void listeners.push(listener),
    close: () => clearInterval(timer),
  };
}

function settingOf(row: Row): ManagedSetting | undefined {
  const value = parseJson(row.value ?? 'null');
  if (!isJsonObject(value)) return undefined;
  return {
    kind: row.kind,
    name: row.name,
    value,
    sealed: row.sealed ?? undefined,
    revision: Number(row.revision),
    updatedMs: Number(row.updated_ms),
    updatedBy: row.updated_by,
  };
}
