import { Index } from '@lancedb/lancedb';
import { SLOT_COLUMN } from './chunk-columns.ts';
import { searchStructures } from './open-tables.ts';
import type { OpenTable, OpenTables } from './open-tables.ts';

const MOST_ROUNDS = 5;

/**
 * Rewrites a table so that none of its files holds rows that were deleted or replaced. A deletion marks rows in the
 * files that hold them, and search structures keep their terms and vectors; so the rows are compacted, every structure
 * is built anew, and when no reader can be on them any more, the versions before are taken away.
 *
 * Compaction leaves files of more than a million rows as they are until a tenth of their rows is deleted. A table that
 * is about to be dropped is left alone.
 */
export async function purgeTable(
  open: OpenTable,
  deps: { tables: Pick<OpenTables, 'write'>; graceMs: number; nowMs: () => number },
): Promise<void> {
  const { table } = open;
  const leaving = open.leaving.signal;
  await deps.tables.write(open, async () => {
    const [any] = await table.query().select([SLOT_COLUMN]).limit(1).toArray();
    const slot: unknown = any?.[SLOT_COLUMN];
    if (typeof slot === 'string') {
      // A file alone is not compacted; beside the second one that a row touched makes, it is.
      const where = `${SLOT_COLUMN} = '${slot.replaceAll("'", "''")}'`;
      await table.update({ where, valuesSql: { [SLOT_COLUMN]: SLOT_COLUMN } });
    }
    await table.optimize();
  });
  for (const { column, config } of searchStructures()) {
    if (leaving.aborted) return;
    await table.createIndex(column, { config, replace: true });
  }
  if (leaving.aborted) return;
  if ((await table.listIndices()).some(({ columns }) => columns.includes('vector'))) {
    const numPartitions = Math.max(1, Math.round(Math.sqrt(await table.countRows())));
    await table.createIndex('vector', { config: Index.ivfFlat({ distanceType: 'dot', numPartitions }), replace: true });
  }
  // Where files were still compacted by the last look, the version before it is one that readers may be on.
  for (let round = 0; round < MOST_ROUNDS; round++) {
    // Versions are dated more finely than in milliseconds.
    const cleanupOlderThan = new Date(deps.nowMs() + 1);
    await pause(deps.graceMs, leaving);
    if (leaving.aborted) return;
    const { compaction } = await deps.tables.write(open, () => table.optimize({ cleanupOlderThan }));
    if (round > 0 && compaction.fragmentsRemoved === 0) return;
  }
}

/** Waits, or until the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    }
    signal.addEventListener('abort', end);
  });
}
