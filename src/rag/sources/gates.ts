import { createHash } from 'node:crypto';
import { GuardedFetchError } from '../../lib/guarded-request.ts';
import { toSekishoError } from '../../spec/errors.ts';
import type { RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { SourceProblem, type FetchedItem, type ListedItem } from './connectors/connector.ts';
import { removeDocuments } from './remove-items.ts';
import type { RunSourceDeps } from './run-deps.ts';
import type { SourceRunCounts, SourceRunId } from './source.ts';
import type { KnownItem } from './source-items.ts';
import type { StoredSource } from './source-store.ts';
import { shapeOf, writeItems } from './write-items.ts';

interface GateWork {
  source: StoredSource;
  runId: SourceRunId;
  requestId: RequestId;
  signal: AbortSignal;
  counts: SourceRunCounts;
  fail: (key: string, reason: string) => Promise<void>;
}

interface Changed {
  key: string;
  item: FetchedItem;
  stamp: string | null;
  hash: string;
  before: readonly string[];
  isReshaped: boolean;
}

export interface Gates {
  /** Takes listed items, each key once. @returns keys that turned out to be gone. */
  pass(listed: readonly ListedItem[]): Promise<string[]>;
  /** What has been fetched so far. */
  bytes(): number;
}

/** Content that is written together. */
const BATCH_FILES = 50;
const BATCH_BYTES = 8 * 1024 * 1024;

/**
 * The two gates of an item. Where its stamp is the known one, and its documents are in the collection, it is not
 * fetched; where the hash of what was fetched is the known one, it is not written.
 */
export function createGates(deps: RunSourceDeps, work: GateWork): Gates {
  const { items, documents } = deps;
  const { source, runId, signal, counts, fail } = work;
  const place = { tenantId: source.tenantId, collection: source.collection };
  const shape = shapeOf(source);
  let bytes = 0;

  /** Which of the known items have all of their documents in the collection, as they were written. */
  async function settled(known: ReadonlyMap<string, KnownItem>): Promise<Set<string>> {
    const hashed = [...known.values()].filter(({ hash }) => hash !== null);
    const live = await documents.known(
      place,
      hashed.flatMap((item) => item.documents),
    );
    const isLive = (id: string): boolean => live.get(id)?.unfinished === false;
    return new Set(hashed.filter((item) => item.documents.every(isLive)).map(({ key }) => key));
  }

  async function write(changed: readonly Changed[]): Promise<void> {
    if (changed.length === 0) return;
    const written = await writeItems(deps, {
      source,
      principal: ownPrincipal(source),
      requestId: work.requestId,
      signal,
      items: changed,
      onBegin: (begun) => items.begin(source, runId, begun),
    });
    const done = new Map(written.map((each) => [each.key, each]));
    const confirmed: Changed[] = [];
    for (const each of changed) {
      const told = done.get(each.key);
      if (told?.reason !== undefined) await fail(each.key, told.reason);
      else confirmed.push(each);
    }
    // Records that a file no longer holds.
    const kept = new Set(written.flatMap((each) => each.documents));
    const left = confirmed.flatMap(({ before }) => before).filter((id) => !kept.has(id));
    if (source.removal !== 'none' && left.length > 0) {
      await removeDocuments(deps, place, left);
      await items.forgetDocuments(source, left);
    }
    await items.confirm(source, confirmed);
    counts.changed += confirmed.length;
  }

  async function fetched(listed: ListedItem, known: KnownItem | undefined, isSettled: boolean) {
    // A stamp of another shape says nothing: the document must be written anew.
    const have = isSettled && known?.stamp?.startsWith(shape) === true ? known.stamp.slice(shape.length) : undefined;
    try {
      return await listed.fetch(have, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof SourceProblem || thrown instanceof GuardedFetchError) return { reason: thrown.message };
      const error = toSekishoError(thrown);
      deps.onError(thrown);
      return { reason: error.message };
    }
  }

  async function pass(listed: readonly ListedItem[]): Promise<string[]> {
    if (listed.length === 0) return [];
    const known = await items.known(
      source,
      listed.map(({ key }) => key),
    );
    const safe = await settled(known);
    const isSame = ({ key, stamp }: ListedItem): boolean =>
      stamp !== undefined && safe.has(key) && known.get(key)?.stamp === shape + stamp;
    const same = listed.filter(isSame);
    await items.keep(
      source,
      runId,
      same.map(({ key, stamp }) => ({ key, stamp: shape + (stamp ?? '') })),
    );
    counts.unchanged += same.length;

    const gone: string[] = [];
    const rest = listed.filter((each) => !isSame(each));
    let batch: Changed[] = [];
    for (let from = 0; from < rest.length; from += deps.bounds.concurrency) {
      const group = rest.slice(from, from + deps.bounds.concurrency);
      const answers = await Promise.all(group.map((each) => fetched(each, known.get(each.key), safe.has(each.key))));
      signal.throwIfAborted();
      const still: { key: string; stamp: string | null }[] = [];
      for (const [place_, listedItem] of group.entries()) {
        const { key } = listedItem;
        const item = answers[place_];
        if (item === undefined) continue;
        if (item === 'gone') {
          counts.found--;
          gone.push(key);
        } else if (item === 'unchanged') still.push({ key, stamp: known.get(key)?.stamp ?? null });
        else if ('reason' in item) await fail(key, item.reason);
        else {
          bytes += item.bytes.length;
          const upstream = item.stamp ?? listedItem.stamp;
          const stamp = upstream === undefined ? null : shape + upstream;
          const hash = shape + createHash('sha256').update(`${item.name}\0`).update(item.bytes).digest('hex');
          if (safe.has(key) && known.get(key)?.hash === hash) still.push({ key, stamp });
          else {
            const had = known.get(key);
            const isReshaped = had?.hash !== undefined && had.hash !== null && !had.hash.startsWith(shape);
            batch.push({ key, item, stamp, hash, before: had?.documents ?? [], isReshaped });
          }
        }
      }
      await items.keep(source, runId, still);
      counts.unchanged += still.length;
      const size = batch.reduce((sum, { item }) => sum + item.bytes.length, 0);
      if (batch.length < BATCH_FILES && size < BATCH_BYTES) continue;
      await write(batch);
      batch = [];
    }
    await write(batch);
    return gone;
  }

  return { pass, bytes: () => bytes };
}

/** The process itself, working for the tenant of the source. */
function ownPrincipal({ tenantId }: StoredSource): Principal {
  return { tenantId, keyId: 'key_process', name: 'Sekisho', role: 'admin', allowedRoutes: [], limits: {} };
}
