import type { ChunkIndex } from '../../ports/chunk-index.ts';
import type { CollectionSettings } from '../../spec/collection.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import { indexRefOf, type Collection, type Collections } from '../collections.ts';
import { processPrincipal } from '../process-principal.ts';
import type { Place } from '../documents.ts';
import type { InTurn } from '../ingest/serial.ts';
import type { OnDocumentsChanged } from '../forget-answers.ts';
import { createFillVersion, type FillVersionDeps } from './fill-version.ts';
import { indexFingerprint, type FingerprintDeps } from './index-fingerprint.ts';
import type { IndexHoldings, IndexVersion } from './index-versions.ts';

/** Looks at both indexes before one takes the place of the other; `refuse` says why it may not. */
export type BeforeSwap = (
  place: Place,
  versions: { liveVersion: number; shadowVersion: number },
) => Promise<{ refuse?: string }>;

export interface VersionsDeps extends FillVersionDeps, FingerprintDeps {
  analyser: FillVersionDeps['analyser'];
  collections: Collections;
  index: Pick<ChunkIndex, 'replace' | 'count' | 'drop' | 'optimise'>;
  /** Runs work of one collection one after the other; the same for everything that writes to collections. */
  inTurn: InTurn;
  onDocumentsChanged: OnDocumentsChanged;
  beforeSwap?: BeforeSwap;
  /** Told of what kept an index from being made. */
  onProblem?: (place: Place, error: unknown) => void;
}

/** An index beside the live one and how far it is. */
export interface VersionStatus extends IndexVersion {
  holds: IndexHoldings;
}

export interface CollectionStatus {
  live: IndexHoldings;
  /** The index that is to take the place of the live one. */
  shadow: VersionStatus | undefined;
  /** The index that was live before, for a rollback. */
  previous: VersionStatus | undefined;
}

export type SwapForce = 'as judged' | 'whatever is said against it';

export interface Versions {
  status(collection: Collection): Promise<CollectionStatus>;
  /**
   * Begins to build an index of these settings beside the live one, in place of one that is being built; goes on with
   * the one that could not be filled, where it is of the same settings. It goes live by itself when it is complete.
   */
  rebuild(place: Place, settings: CollectionSettings['index']): Promise<void>;
  /** Makes the index live that waits. @throws SekishoError conflict where none waits, or it is refused again. */
  swap(place: Place, force: SwapForce): Promise<void>;
  /** Gives up the index that is being built. @throws SekishoError conflict where there is none. */
  cancel(place: Place): Promise<void>;
  /** Brings the previous index up to date in the background and makes it live again. @throws SekishoError conflict. */
  rollback(place: Place): Promise<void>;
  /**
   * Resolves when the live index is what this software makes; builds it anew where it is not.
   * @throws SekishoError with what keeps it from it; fingerprint_mismatch where a finished index waits for a decision.
   */
  upgrade(place: Place, signal: AbortSignal): Promise<void>;
  /** Goes on with what an earlier process began, and renews what the software makes otherwise now. */
  resume(signal: AbortSignal): Promise<void>;
  /** Resolves when nothing of the collection is under way any more. */
  settled(place: Place): Promise<void>;
  /** Ends what is under way; a later process goes on with it. */
  stop(): Promise<void>;
}

interface Run {
  version: number;
  controller: AbortController;
  ended: Promise<void>;
  error?: SekishoError;
}

/** Passes over the documents while others write; what is left after them is done while they wait. */
const PASSES = 4;
const FEW = 100;

/** The indexes of collections: built beside each other, swapped, rolled back, dropped. */
export function createVersions(deps: VersionsDeps): Versions {
  const { collections, versions, index } = deps;
  const fill = createFillVersion(deps);
  const runs = new Map<string, Run>();
  const keyOf = (place: Place): string => `${place.tenantId}\n${place.collection}`;
  let stopped = false;

  const requireCollection = (place: Place): Promise<Collection> =>
    collections.require(place.tenantId, place.collection);
  const isCurrent = ({ settings, fingerprint }: Pick<IndexVersion, 'settings' | 'fingerprint'>): boolean =>
    indexFingerprint(deps, settings) === fingerprint;
  const shadowOf = (all: readonly IndexVersion[]): IndexVersion | undefined =>
    all.find(({ state }) => state === 'building' || state === 'waiting' || state === 'failed');

  /** Makes the version the live one. The caller has the collection's turn, so nothing changes meanwhile. */
  async function swapNow(place: Place, number: number, force: SwapForce, signal: AbortSignal): Promise<void> {
    collections.refresh(place.tenantId, place.collection);
    const collection = await requireCollection(place);
    const version = await versions.find(collection, number);
    if (version === undefined || version.state === 'dropping') return;
    const principal = processPrincipal(place.tenantId);
    const inTurn = <T>(work: () => Promise<T>): Promise<T> => work();
    const { failed } = await fill({ place, collection, version, fresh: false, inTurn, principal, signal });
    if (failed.length > 0 && force === 'as judged') {
      await versions.mark(collection, number, 'waiting', lacking(failed));
      return;
    }
    const [rows, books] = await Promise.all([
      index.count(indexRefOf(collection, number)),
      versions.held(collection, number),
    ]);
    if (rows !== books.chunks) {
      const problem = `the index has ${rows} chunks and should have ${books.chunks}`;
      await versions.mark(collection, number, 'failed', problem);
      return;
    }
    await versions.makeLive(collection, version);
    collections.refresh(place.tenantId, place.collection);
    // What was answered from the index before may not be what this one finds.
    await deps.onDocumentsChanged(place.tenantId, place.collection, 'all');
  }

  async function dropMarked(place: Place): Promise<void> {
    const collection = await requireCollection(place);
    for (const { version, state } of await versions.list(collection)) {
      if (state !== 'dropping') continue;
      await deps.inTurn(place, () => index.drop(indexRefOf(collection, version)));
      await versions.forget(collection, version);
    }
  }

  /** Fills a version and makes it live, or notes why not. */
  async function work(place: Place, begun: IndexVersion, force: SwapForce, signal: AbortSignal): Promise<void> {
    const number = begun.version;
    const principal = processPrincipal(place.tenantId);
    // Books alone do not tell: a commit of the index may have come to pass without its entry.
    let fresh = (await index.count(indexRefOf(await requireCollection(place), number))) === 0;
    for (let pass = 0; pass < PASSES; pass++) {
      const collection = await requireCollection(place);
      const inTurn = <T>(turn: () => Promise<T>): Promise<T> => deps.inTurn(place, turn);
      const {
        indexed,
        failed,
        stopped: cannot,
      } = await fill({
        place,
        collection,
        version: begun,
        fresh,
        inTurn,
        principal,
        signal,
      });
      if (cannot) {
        await versions.mark(collection, number, begun.state === 'returning' ? 'previous' : 'failed', failed[0]?.reason);
        return;
      }
      fresh = fresh && failed.length === 0;
      if (indexed <= FEW) break;
    }
    const collection = await requireCollection(place);
    await index.optimise(indexRefOf(collection, number));
    if (force === 'as judged' && deps.beforeSwap !== undefined) {
      const judged = await deps.beforeSwap(place, { liveVersion: collection.version, shadowVersion: number });
      if (judged.refuse !== undefined) {
        await versions.mark(collection, number, 'waiting', judged.refuse);
        return;
      }
    }
    if (signal.aborted) return;
    await deps.inTurn(place, () => swapNow(place, number, force, signal));
    await dropMarked(place);
  }

  function start(place: Place, version: IndexVersion, force: SwapForce): Run {
    const controller = new AbortController();
    if (stopped) controller.abort();
    const run: Run = { version: version.version, controller, ended: Promise.resolve() };
    runs.set(keyOf(place), run);
    run.ended = work(place, version, force, controller.signal)
      .catch(async (thrown: unknown) => {
        const error = toSekishoError(thrown);
        if (controller.signal.aborted || error.code === 'caller_left' || error.code === 'collection_not_found') return;
        run.error = error;
        deps.onProblem?.(place, error);
        const collection = await collections.get(place.tenantId, place.collection);
        if (collection === undefined) return;
        const state = version.state === 'returning' ? 'previous' : 'failed';
        await versions.mark(collection, version.version, state, error.message);
      })
      .catch((error: unknown) => deps.onProblem?.(place, error))
      .finally(() => {
        if (runs.get(keyOf(place)) === run) runs.delete(keyOf(place));
      });
    return run;
  }

  /** Ends what is under way, and waits for it. */
  async function halt(place: Place): Promise<void> {
    const run = runs.get(keyOf(place));
    run?.controller.abort();
    await run?.ended;
  }

  async function giveUp(place: Place, collection: Collection, version: IndexVersion): Promise<void> {
    await versions.mark(collection, version.version, version.state === 'returning' ? 'previous' : 'dropping');
    await halt(place);
    await dropMarked(place);
  }

  async function begin(place: Place, settings: CollectionSettings['index']): Promise<Run> {
    const collection = await requireCollection(place);
    const fingerprint = indexFingerprint(deps, settings);
    const all = await versions.list(collection);
    const shadow = shadowOf(all);
    if (all.some(({ state }) => state === 'returning')) {
      throw conflict('the index before is being made live again; let it end or cancel it first');
    }
    if (shadow !== undefined && shadow.fingerprint === fingerprint) {
      const running = runs.get(keyOf(place));
      if (running?.version === shadow.version) return running;
      await versions.mark(collection, shadow.version, 'building');
      return start(place, { ...shadow, state: 'building' }, 'as judged');
    }
    if (shadow !== undefined) await giveUp(place, collection, shadow);
    return start(place, await versions.begin(collection, { settings, fingerprint }), 'as judged');
  }

  async function upgrade(place: Place, signal: AbortSignal): Promise<void> {
    const collection = await collections.get(place.tenantId, place.collection);
    const live = (each: Collection) => isCurrent({ settings: each.settings.index, fingerprint: each.fingerprint });
    if (collection === undefined || live(collection)) return;
    const shadow = shadowOf(await versions.list(collection));
    const run = await begin(
      place,
      (shadow && isCurrent(shadow) ? shadow : { settings: collection.settings.index }).settings,
    );
    await Promise.race([run.ended, leaving(signal)]);
    if (run.error !== undefined) throw run.error;
    const now = await collections.get(place.tenantId, place.collection);
    if (now === undefined || live(now)) return;
    const want = indexFingerprint(deps, now.settings.index);
    throw new SekishoError('fingerprint_mismatch', {
      values: { collection: now.name, have: now.fingerprint, want },
    });
  }

  return {
    status: async (collection) => {
      const all = await versions.list(collection);
      const withHoldings = async (version: IndexVersion | undefined): Promise<VersionStatus | undefined> =>
        version && { ...version, holds: await versions.held(collection, version.version) };
      return {
        live: await versions.held(collection, collection.version),
        shadow: await withHoldings(shadowOf(all)),
        previous: await withHoldings(all.find(({ state }) => state === 'previous' || state === 'returning')),
      };
    },

    rebuild: async (place, settings) => void (await begin(place, settings)),

    swap: async (place, force) => {
      const collection = await requireCollection(place);
      const shadow = shadowOf(await versions.list(collection));
      if (shadow?.state !== 'waiting') throw conflict('no index waits to be made live');
      await versions.mark(collection, shadow.version, 'building');
      const run = start(place, { ...shadow, state: 'building' }, force);
      await run.ended;
      if (run.error !== undefined) throw run.error;
      const refused = await versions.find(await requireCollection(place), shadow.version);
      if (refused !== undefined) throw conflict(refused.failure ?? 'the index was given up');
    },

    cancel: async (place) => {
      const collection = await requireCollection(place);
      const all = await versions.list(collection);
      const version = shadowOf(all) ?? all.find(({ state }) => state === 'returning');
      if (version === undefined) throw conflict('no index is being built');
      await giveUp(place, collection, version);
    },

    rollback: async (place) => {
      const collection = await requireCollection(place);
      const all = await versions.list(collection);
      if (shadowOf(all) !== undefined) throw conflict('a new index is being built; cancel it first');
      const previous = all.find(({ state }) => state === 'previous');
      if (previous === undefined) throw conflict('there is no earlier index');
      if (!isCurrent(previous)) throw conflict('the earlier index was made by an earlier version of the software');
      await versions.mark(collection, previous.version, 'returning');
      start(place, { ...previous, state: 'returning' }, 'whatever is said against it');
    },

    upgrade,

    resume: async (signal) => {
      for (const place of await versions.places(['dropping'])) await dropMarked(place);
      for (const place of await versions.places(['building', 'failed', 'returning'])) {
        if (signal.aborted) return;
        const collection = await requireCollection(place);
        const all = await versions.list(collection);
        const begun = all.find(({ state }) => state === 'returning') ?? shadowOf(all);
        if (begun === undefined || begun.state === 'waiting') continue;
        if (!isCurrent(begun)) {
          await giveUp(place, collection, begun);
          // What was wished for is made as it is made now.
          if (begun.state !== 'returning')
            await Promise.race([(await begin(place, begun.settings)).ended, leaving(signal)]);
          continue;
        }
        const force = begun.state === 'returning' ? 'whatever is said against it' : 'as judged';
        const state = begun.state === 'failed' ? 'building' : begun.state;
        await versions.mark(collection, begun.version, state);
        const run = runs.get(keyOf(place)) ?? start(place, { ...begun, state }, force);
        await Promise.race([run.ended, leaving(signal)]);
      }
      for await (const { tenantId, name } of collections.everyCollection()) {
        if (signal.aborted) return;
        const place = { tenantId, collection: name };
        await upgrade(place, signal).catch((error: unknown) => deps.onProblem?.(place, error));
      }
    },

    settled: async (place) => {
      for (let run = runs.get(keyOf(place)); run !== undefined; run = runs.get(keyOf(place))) await run.ended;
    },

    stop: async () => {
      stopped = true;
      const open = [...runs.values()];
      for (const { controller } of open) controller.abort();
      await Promise.all(open.map(({ ended }) => ended));
    },
  };
}

function lacking(failed: readonly { id: string; reason: string }[]): string {
  const [first] = failed;
  return `${failed.length} documents are not in it; ${first?.id.slice(0, 200)}: ${first?.reason}`;
}

function conflict(problem: string): SekishoError {
  return new SekishoError('conflict', { values: { problem } });
}

/** Resolves when the signal is aborted. */
function leaving(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
