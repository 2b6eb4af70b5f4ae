import { Hono } from 'hono';
import { requireAdmin } from '../../access/permissions.ts';
import { camelKeys, snakeKeys } from '../../lib/camel-keys.ts';
import type { Collection, Collections } from '../../rag/collections.ts';
import type { Documents, Place } from '../../rag/documents.ts';
import type { ManageCollections } from '../../rag/manage-collections.ts';
import type { Versions, VersionStatus } from '../../rag/versions/versions.ts';
import {
  changeCollectionSchema,
  copyCollectionSchema,
  createCollectionSchema,
  swapSchema,
} from '../contract/collections.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { readValid } from '../read-body.ts';
import { requireCollection } from './search.ts';

export interface CollectionRouteDeps {
  collections: Collections;
  documents: Pick<Documents, 'countsByState'>;
  versions: Versions;
  manage: ManageCollections;
}

/** Fields of settings whose keys are names that the caller chose. */
const VERBATIM = ['factors'];

/** Collections as data: made, shown, changed, copied, deleted, and their indexes built, swapped and rolled back. */
export function collectionRoutes({ collections, documents, versions, manage }: CollectionRouteDeps): Hono<HttpEnv> {
  /** Where an administrator acts, who may use the collection. */
  function managed(context: HttpContext, collection: string): Place {
    const principal = context.get('principal');
    requireAdmin(principal, 'manage collections');
    requireCollection(principal, collection);
    return { tenantId: principal.tenantId, collection };
  }

  async function shown(collection: Collection) {
    const place = { tenantId: collection.tenantId, collection: collection.name };
    const [{ live, shadow, previous }, { waiting, ...states }] = await Promise.all([
      versions.status(collection),
      documents.countsByState(place),
    ]);
    const besides = (version: VersionStatus | undefined) => version && shownVersion(version, live.documents);
    return {
      name: collection.name,
      version: collection.version,
      settings: snakeKeys(collection.settings, VERBATIM),
      settings_revision: collection.settingsRevision,
      statistics: { ...live, by_state: states, waiting },
      embedding_model: collection.embeddingRoute,
      fingerprint: collection.fingerprint,
      shadow: besides(shadow) ?? null,
      previous: besides(previous) ?? null,
      created_at: new Date(collection.createdMs).toISOString(),
    };
  }

  async function answer(context: HttpContext, { tenantId, collection }: Place, status: 200 | 201 | 202 = 200) {
    collections.refresh(tenantId, collection);
    return context.json(await shown(await collections.require(tenantId, collection)), status);
  }

  return new Hono<HttpEnv>()
    .post('/v1/collections', async (context) => {
      const { name, settings } = await readValid(context, createCollectionSchema);
      const place = managed(context, name);
      await manage.create(place.tenantId, name, camelKeys(settings, VERBATIM));
      return answer(context, place, 201);
    })

    .get('/v1/collections/:collection', async (context) => {
      const principal = context.get('principal');
      const collection = context.req.param('collection');
      requireCollection(principal, collection);
      return answer(context, { tenantId: principal.tenantId, collection });
    })

    .patch('/v1/collections/:collection', async (context) => {
      const { name, settings } = await readValid(context, changeCollectionSchema);
      const place = managed(context, context.req.param('collection'));
      if (settings !== undefined) await manage.change(place, camelKeys(settings, VERBATIM));
      if (name === undefined || name === place.collection) return answer(context, place);
      const renamed = managed(context, name);
      await manage.rename(place, name);
      return answer(context, renamed);
    })

    .post('/v1/collections/:collection/copy', async (context) => {
      const { name } = await readValid(context, copyCollectionSchema);
      const place = managed(context, context.req.param('collection'));
      const copy = managed(context, name);
      await manage.copy(place, name);
      return answer(context, copy, 202);
    })

    .delete('/v1/collections/:collection', async (context) => {
      const place = managed(context, context.req.param('collection'));
      await manage.remove(place);
      return context.json({ collection_name: place.collection, deleted: true });
    })

    .post('/v1/collections/:collection/rebuild', async (context) => {
      const place = managed(context, context.req.param('collection'));
      const { settings } = await collections.require(place.tenantId, place.collection);
      await versions.rebuild(place, settings.index);
      return answer(context, place, 202);
    })

    .delete('/v1/collections/:collection/shadow', async (context) => {
      const place = managed(context, context.req.param('collection'));
      await versions.cancel(place);
      return answer(context, place);
    })

    .post('/v1/collections/:collection/swap', async (context) => {
      const { force } = await readValid(context, swapSchema);
      const place = managed(context, context.req.param('collection'));
      await versions.swap(place, force ? 'whatever is said against it' : 'as judged');
      return answer(context, place);
    })

    .post('/v1/collections/:collection/rollback', async (context) => {
      const place = managed(context, context.req.param('collection'));
      await versions.rollback(place);
      return answer(context, place, 202);
    });
}

function shownVersion(version: VersionStatus, documents: number) {
  return {
    version: version.version,
    state: version.state,
    ...(version.failure !== null && { failure: version.failure }),
    progress: documents === 0 ? 1 : Math.min(1, version.holds.documents / documents),
    ...version.holds,
    settings: snakeKeys(version.settings, VERBATIM),
    fingerprint: version.fingerprint,
    created_at: new Date(version.createdMs).toISOString(),
  };
}
