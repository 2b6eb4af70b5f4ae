import type { Statement } from '../ports/database.ts';
import { defaultCollectionSettings } from '../spec/collection.ts';
import { SekishoError } from '../spec/errors.ts';
import type { CollectionName, TenantId } from '../spec/ids.ts';
import { changedSettings, type SettingsChange } from './collection-settings.ts';
import type { Collection, Collections } from './collections.ts';
import type { Documents, LiveDocument, Place } from './documents.ts';
import type { OnDocumentsChanged } from './forget-answers.ts';
import type { Ingest } from './ingest/ingest-documents.ts';
import type { InTurn } from './ingest/serial.ts';
import { indexFingerprint, type FingerprintDeps } from './versions/index-fingerprint.ts';
import type { Versions } from './versions/versions.ts';

export interface ManageCollectionsDeps extends FingerprintDeps {
  collections: Collections;
  documents: Pick<Documents, 'live' | 'liveIdsAfter' | 'accept'>;
  ingest: Pick<Ingest, 'removeCollection' | 'resumeCollection'>;
  versions: Versions;
  inTurn: InTurn;
  /** Model for new collections. */
  embeddingRoute: string;
  onDocumentsChanged: OnDocumentsChanged;
  /** What other rooms file under the name of a collection, in the transaction of its renaming. */
  renaming?: (tenantId: TenantId, from: CollectionName, to: CollectionName) => readonly Statement[];
  onProblem?: (place: Place, error: unknown) => void;
}

/** What an administrator does with collections. */
export interface ManageCollections {
  /** @throws SekishoError conflict, invalid_request. */
  create(tenantId: TenantId, name: CollectionName, settings: SettingsChange): Promise<Collection>;
  /**
   * Changes settings. Those for searching and answering hold at once; those of the index build a new one beside the
   * live one. Settings that the live index has already give up one that is being built.
   * @throws SekishoError collection_not_found, conflict.
   */
  change(place: Place, change: SettingsChange): Promise<Collection>;
  /** @throws SekishoError collection_not_found, conflict where the name is taken or an index is being built. */
  rename(place: Place, name: CollectionName): Promise<Collection>;
  /**
   * A new collection of the same settings and documents. Resolves when the documents are stored; they are indexed
   * after that, by this process or the next. @throws SekishoError collection_not_found, conflict.
   */
  copy(place: Place, name: CollectionName): Promise<Collection>;
  remove(place: Place): Promise<void>;
  /** Resolves when the copies that are being indexed have ended; aborts them where `stop` is called. */
  stop(): Promise<void>;
}

/** Documents that are copied in one step; few, since their texts are held meanwhile. */
const COPIED_AT_ONCE = 100;

export function createManageCollections(deps: ManageCollectionsDeps): ManageCollections {
  const { collections, versions } = deps;
  const leaving = new AbortController();
  const copying = new Set<Promise<void>>();

  async function remove(place: Place): Promise<void> {
    await deps.ingest.removeCollection(place);
    await versions.settled(place);
  }

  return {
    create: (tenantId, name, change) => {
      const settings = changedSettings(defaultCollectionSettings(deps.embeddingRoute), change);
      return collections.create({ tenantId, name, settings, fingerprint: indexFingerprint(deps, settings.index) });
    },

    change: async (place, change) => {
      const changed = await deps.inTurn(place, async () => {
        collections.refresh(place.tenantId, place.collection);
        const collection = await collections.require(place.tenantId, place.collection);
        return collections.changeSettings(collection, changedSettings(collection.settings, change));
      });
      // Answers were kept of how it was searched before.
      await deps.onDocumentsChanged(place.tenantId, place.collection, 'all');
      if (change.index === undefined) return changed;
      const { index } = changedSettings(changed.settings, { index: change.index });
      if (indexFingerprint(deps, index) !== changed.fingerprint) await versions.rebuild(place, index);
      else if ((await versions.status(changed)).shadow !== undefined) await versions.cancel(place);
      return collections.require(place.tenantId, place.collection);
    },

    rename: async (place, name) => {
      const { tenantId, collection: from } = place;
      // The turns of both names, in one order for everybody: two who wait for each other would wait for ever.
      const [first = from, second = name] = [from, name].sort();
      const inBoth = <T>(work: () => Promise<T>): Promise<T> =>
        first === second
          ? deps.inTurn(place, work)
          : deps.inTurn({ tenantId, collection: first }, () => deps.inTurn({ tenantId, collection: second }, work));
      await inBoth(async () => {
        const collection = await collections.require(tenantId, from);
        const { shadow, previous } = await versions.status(collection);
        if (shadow !== undefined || previous?.state === 'returning') {
          throw conflict('an index of the collection is being built; let it end or cancel it first');
        }
        await deps.onDocumentsChanged(tenantId, from, 'all');
        await collections.rename(collection, name, deps.renaming?.(tenantId, from, name) ?? []);
      });
      return collections.require(tenantId, name);
    },

    copy: async (place, name) => {
      const { tenantId } = place;
      const source = await collections.require(tenantId, place.collection);
      const copy: Place = { tenantId, collection: name };
      const fingerprint = indexFingerprint(deps, source.settings.index);
      await collections.createHidden({ tenantId, name, settings: source.settings, fingerprint });
      try {
        for (let after = ''; ;) {
          const ids = await deps.documents.liveIdsAfter(place, { after, limit: COPIED_AT_ONCE });
          const last = ids.at(-1);
          if (last === undefined) break;
          const live = await deps.documents.live(place, ids);
          await deps.documents.accept(copy, live.map(asAccepted));
          after = last;
        }
      } catch (thrown) {
        await collections.forget(tenantId, name);
        throw thrown;
      }
      const made = await collections.show(tenantId, name);
      const indexing = deps.ingest
        .resumeCollection(copy, leaving.signal)
        .then(
          () => undefined,
          (error: unknown) => {
            if (!leaving.signal.aborted) deps.onProblem?.(copy, error);
          },
        )
        .finally(() => copying.delete(indexing));
      copying.add(indexing);
      return made;
    },

    remove,

    stop: async () => {
      leaving.abort();
      await Promise.all(copying);
    },
  };
}

/** Headings that were not kept are not known; the text is cut without them. */
function asAccepted(document: LiveDocument) {
  return { ...document, headings: document.headings ?? [] };
}

function conflict(problem: string): SekishoError {
  return new SekishoError('conflict', { values: { problem } });
}
