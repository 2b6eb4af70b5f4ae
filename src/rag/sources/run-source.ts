import { GuardedFetchError } from '../../lib/guarded-request.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import type { RequestId } from '../../spec/ids.ts';
import { checkSource } from './check-source.ts';
import { SourceProblem, type Connector, type Listed, type ListEnd, type ListedItem } from './connectors/connector.ts';
import { createGates } from './gates.ts';
import { removeItems } from './remove-items.ts';
import type { RunSourceDeps } from './run-deps.ts';
import type { SourceRunCounts, SourceRunId } from './source.ts';
import { noCounts } from './source-runs.ts';
import type { StoredSource } from './source-store.ts';

export interface SourceRunWork {
  source: StoredSource;
  runId: SourceRunId;
  requestId: RequestId;
  connector: Connector;
  signal: AbortSignal;
  /** Told after each page. */
  onProgress: (counts: SourceRunCounts) => Promise<void>;
}

export type RunSource = (
  work: SourceRunWork,
) => Promise<{ counts: SourceRunCounts; failure: SekishoError | undefined }>;

/** Listed items that are looked up, fetched and written together. */
const PAGE = 100;
const MAX_FAILURES = 100;
const REMOVED_AT_ONCE = 200;

/**
 * One run of a source: list, pass each item through the two gates (its stamp, then the hash of its content), write
 * what has changed, remove what is gone, check that everything is there. An item that fails is told with its
 * reason and tried again by the next run; so is everything after a crash, since the hash is noted only once the
 * write is confirmed.
 */
export function createRunSource(deps: RunSourceDeps): RunSource {
  const { items, clock, bounds } = deps;

  return async ({ source, runId, requestId, connector, signal, onProgress }) => {
    const counts = noCounts();
    const gates = createGates(deps, { source, runId, requestId, signal, counts, fail });
    const endMs = clock.monotonicMs() + bounds.ms;
    let page: ListedItem[] = [];
    let gone: string[] = [];

    async function fail(key: string, reason: string): Promise<void> {
      counts.failed++;
      if (counts.failures.length < MAX_FAILURES) counts.failures.push({ key: key.slice(0, 500), reason });
      await items.fail(source, runId, [{ key, reason }]);
    }

    async function flush(): Promise<void> {
      await stays();
      const full = page;
      page = [];
      gone.push(...(await gates.pass(full)));
      const away = gone;
      gone = [];
      if (source.removal !== 'none') await remove(away);
      await onProgress(counts);
    }

    /** A collection that was renamed meanwhile must not be made again under its old name. */
    async function stays(): Promise<void> {
      const now = await deps.store.get(source);
      if (now?.collection !== source.collection) throw new SourceProblem('its collection has another name by now');
    }

    async function remove(keys: readonly string[]): Promise<void> {
      const known = [...(await items.known(source, keys)).values()];
      await removeItems(
        deps,
        source,
        known.map(({ key }) => key),
      );
      counts.removed += known.filter(({ documents }) => documents.length > 0).length;
    }

    /** Removes what lies below the prefix and was not seen by this run. */
    async function removeUnseen(prefix: string): Promise<void> {
      for (;;) {
        signal.throwIfAborted();
        const keys = await items.unseen(source, runId, { prefix, limit: REMOVED_AT_ONCE });
        if (keys.length === 0) return;
        await stays();
        await remove(keys);
        await onProgress(counts);
      }
    }

    async function take(listed: Listed): Promise<void> {
      switch (listed.kind) {
        case 'item':
          page.push(listed);
          counts.found++;
          if (page.length >= PAGE) await flush();
          return;
        case 'gone':
          gone.push(listed.key);
          if (gone.length >= PAGE) await flush();
          return;
        case 'failed':
          counts.found++;
          return fail(listed.key, listed.reason);
        case 'listed':
          if (source.removal !== 'incremental') return;
          await flush();
          return removeUnseen(listed.prefix);
        case 'same': {
          const same = await items.keepAll(source, runId);
          counts.found += same;
          counts.unchanged += same;
          return;
        }
        default:
          listed satisfies never;
      }
    }

    async function list(): Promise<ListEnd> {
      const memory = await trustedMemory(source);
      const listing = connector.list({ signal, memory });
      try {
        for (;;) {
          signal.throwIfAborted();
          if (counts.found >= bounds.items) return { complete: false, reason: `more than ${bounds.items} items` };
          if (gates.bytes() >= bounds.bytes) return { complete: false, reason: `more than ${bounds.bytes} bytes` };
          if (clock.monotonicMs() > endMs) return { complete: false, reason: `longer than ${bounds.ms} ms` };
          const next = await listing.next();
          if (next.done === true) return next.value;
          await take(next.value);
        }
      } finally {
        // What was listed is taken, whatever ended the listing.
        if (!signal.aborted) await flush();
        await listing.return({ complete: false }).catch(() => undefined);
      }
    }

    /** What the last listing left, where nothing of it has to be looked at again. */
    async function trustedMemory(of: StoredSource): Promise<string | undefined> {
      const memory = await deps.store.memory(of);
      if (memory === undefined) return undefined;
      const { unsettled } = await items.counts(of);
      return unsettled === 0 && (await checkSource(deps, of)).missing.length === 0 ? memory : undefined;
    }

    let failure: SekishoError | undefined;
    try {
      const end = await list();
      counts.listed = { complete: end.complete, reason: end.reason ?? null };
      if (end.complete && end.isPart !== true && source.removal === 'full') await removeUnseen('');
      if (end.complete) await deps.store.remember(source, end.memory ?? null);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      failure = failureOf(thrown, deps.onError);
      counts.listed = { complete: false, reason: failure.message };
    }
    counts.check = await checkSource(deps, source);
    return { counts, failure };
  };
}

/** What may be told of an error, as one of the house. */
export function failureOf(thrown: unknown, onError: (error: unknown) => void): SekishoError {
  if (thrown instanceof SourceProblem || thrown instanceof GuardedFetchError) {
    return new SekishoError('source_unreadable', { values: { problem: thrown.message }, cause: thrown });
  }
  const error = toSekishoError(thrown);
  if (error.code === 'internal') onError(thrown);
  return error;
}
