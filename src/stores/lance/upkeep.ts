import { Index } from '@lancedb/lancedb';
import type { IndexConfig, Table } from '@lancedb/lancedb';
import type { Clock } from '../../lib/clock.ts';
import type { OpenTable, OpenTables } from './open-tables.ts';
import { purgeTable } from './purge.ts';

/** Versions younger than this stay on disk, for readers (of other processes too) that are still on them. */
const KEEP_VERSIONS_MS = 5 * 60_000;
/** Rows that are not indexed yet are scanned by every query, at 5 µs each; so many are let pass. */
const FEW_ROWS = 256;
const FEW_COMMITS = 8;
/** Beyond this upkeep does not wait for a quiet moment: each commit costs a query a tenth of a millisecond. */
const MANY_COMMITS = 32;
/** Beyond these rows it waits for no quiet moment, and beyond this share of the table's rows for nothing. */
const MANY_ROWS = 4096;
const MANY_SHARE = 0.25;
/**
 * Between runs that many rows start, so many times as long as the last one took. A run takes 45 µs of processor for
 * every row of the table: without a rest, the upkeep of a table that is being filled grows with the square of its rows.
 */
const REST_WHILE_FILLING = 2;
const QUIET_MS = 1000;
/** Runs take at most a tenth of the time, for however long one takes. */
const REST_PER_RUN = 10;
/** The longest that a search may still be on the files of a moment ago. */
const READERS_MS = 2_000;
const STOP_PATIENCE_MS = 5000;
/** Below this an exact scan of the vectors is as fast as an index. */
const EXACT_BELOW_ROWS = 10_000;
/** Each run appends a segment to the vector index, and every query visits all of them. */
const MOST_SEGMENTS = 6;
/** Partitions are cut for the rows of their day; so much growth makes them too large. */
const MOST_GROWTH = 2;

/** Keeps tables fast after writes, in the background. */
export interface Upkeep {
  /** Told of every commit; decides whether anything is due. */
  noteCommit(open: OpenTable, rows: number): void;
  /** Brings the table into its best shape now; resolves when done. Joins a run that is under way. */
  run(open: OpenTable): Promise<void>;
  /** See purgeTable. Alone on the table, but for readers and writers. */
  purge(open: OpenTable): Promise<void>;
  /** No runs on this table any more; resolves when the one under way has ended, which it does as soon as it can. */
  leave(open: OpenTable): Promise<void>;
  /**
   * No new runs; resolves when those under way have ended, or after five seconds. One that goes on beyond that may
   * be ended with the process: what it has not committed was never part of the table.
   */
  stop(): Promise<void>;
}

interface Backlog {
  commits: number;
  rows: number;
  /** Rows of the table when last looked at. */
  tableRows: number;
  /** Rows for which the vector index was built, as far as this process knows. */
  builtForRows?: number;
  /** Monotonic time before which only many rows start a run. */
  restUntilMs: number;
  /** Monotonic time before which only a share of the table's rows starts one. */
  fillUntilMs: number;
  lastRunMs: number;
  quiet?: ReturnType<typeof setTimeout>;
  running?: Promise<void>;
}

/**
 * Runs at once when many rows have come together and after a quiet second when some have. Compaction takes its turn in
 * the table's queue of writers (it would conflict with them); queries go on against the version before it.
 * Building the vector index conflicts with no writer and stays outside the queue.
 */
export function createUpkeep(deps: {
  tables: OpenTables;
  clock: Clock;
  onFailure: (table: string, cause: unknown) => void;
}): Upkeep {
  const backlogs = new WeakMap<OpenTable, Backlog>();
  const underWay = new Set<Promise<void>>();
  let stopped = false;

  function backlogOf(open: OpenTable): Backlog {
    const backlog = backlogs.get(open) ?? {
      commits: 0,
      rows: 0,
      tableRows: 0,
      restUntilMs: 0,
      fillUntilMs: 0,
      lastRunMs: 0,
    };
    backlogs.set(open, backlog);
    return backlog;
  }

  async function work(open: OpenTable, backlog: Backlog): Promise<void> {
    const startedMs = deps.clock.monotonicMs();
    backlog.commits = 0;
    backlog.rows = 0;
    clearTimeout(backlog.quiet);
    delete backlog.quiet;
    await deps.tables.write(open, () =>
      open.table.optimize({ cleanupOlderThan: new Date(deps.clock.nowMs() - KEEP_VERSIONS_MS) }),
    );
    if (open.leaving.signal.aborted) return;
    backlog.tableRows = await open.table.countRows();
    await tendVectorIndex(open.table, backlog);
    const endedMs = deps.clock.monotonicMs();
    backlog.lastRunMs = endedMs - startedMs;
    backlog.restUntilMs = endedMs + backlog.lastRunMs * REST_PER_RUN;
    backlog.fillUntilMs = endedMs + backlog.lastRunMs * REST_WHILE_FILLING;
  }

  function run(open: OpenTable): Promise<void> {
    const backlog = backlogOf(open);
    return backlog.running ?? begin(open, backlog, () => work(open, backlog));
  }

  function begin(open: OpenTable, backlog: Backlog, task: () => Promise<void>): Promise<void> {
    open.busy++;
    const running = task().finally(() => {
      open.busy--;
      delete backlog.running;
      underWay.delete(running);
      schedule(open, backlog);
    });
    backlog.running = running;
    underWay.add(running);
    return running;
  }

  function runInBackground(open: OpenTable): void {
    if (!stopped) run(open).catch((cause: unknown) => deps.onFailure(open.name, cause));
  }

  function schedule(open: OpenTable, backlog: Backlog): void {
    if (stopped || open.leaving.signal.aborted || backlog.running !== undefined) return;
    const nowMs = deps.clock.monotonicMs();
    const isMany = backlog.rows >= MANY_ROWS;
    const isTooMany = backlog.rows >= Math.max(MANY_ROWS, backlog.tableRows * MANY_SHARE);
    if (isTooMany || (isMany && nowMs >= backlog.fillUntilMs)) return runInBackground(open);
    if (backlog.rows < FEW_ROWS && backlog.commits < FEW_COMMITS) return;
    if (backlog.commits >= MANY_COMMITS && backlog.quiet !== undefined && !isMany) return;
    clearTimeout(backlog.quiet);
    // After a filling the last rows wait no longer than a run takes.
    const delayMs = Math.max(QUIET_MS, isMany ? backlog.lastRunMs : backlog.restUntilMs - nowMs);
    backlog.quiet = setTimeout(() => runInBackground(open), delayMs);
    backlog.quiet.unref();
  }

  return {
    noteCommit(open, rows) {
      const backlog = backlogOf(open);
      backlog.commits++;
      backlog.rows += rows;
      schedule(open, backlog);
    },
    run,
    async purge(open) {
      const backlog = backlogOf(open);
      while (backlog.running !== undefined) await backlog.running.catch(() => undefined);
      if (open.leaving.signal.aborted) return;
      const { tables, clock } = deps;
      await begin(open, backlog, () => purgeTable(open, { tables, graceMs: READERS_MS, nowMs: () => clock.nowMs() }));
    },
    async leave(open) {
      open.leaving.abort();
      const backlog = backlogOf(open);
      clearTimeout(backlog.quiet);
      while (backlog.running !== undefined) await backlog.running.catch(() => undefined);
    },
    async stop() {
      stopped = true;
      for (const open of deps.tables.all()) clearTimeout(backlogs.get(open)?.quiet);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const patience = new Promise((resolve) => {
        timer = setTimeout(resolve, STOP_PATIENCE_MS);
      });
      await Promise.race([Promise.allSettled(underWay), patience]);
      clearTimeout(timer);
    },
  };
}

/** Builds the vector index when the table has grown into it, and again when it has outgrown it. */
async function tendVectorIndex(table: Table, backlog: Backlog): Promise<void> {
  const rows = backlog.tableRows;
  if (rows < EXACT_BELOW_ROWS) return;
  const index: IndexConfig | undefined = (await table.listIndices()).find((each) => each.columns.includes('vector'));
  if (index !== undefined) {
    backlog.builtForRows ??= rows;
    if ((index.numSegments ?? 1) <= MOST_SEGMENTS && rows <= backlog.builtForRows * MOST_GROWTH) return;
  }
  await table.createIndex('vector', {
    replace: true,
    config: Index.ivfFlat({ distanceType: 'dot', numPartitions: Math.round(Math.sqrt(rows)) }),
  });
  backlog.builtForRows = rows;
}
