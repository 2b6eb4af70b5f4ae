import type { Clock } from '../lib/clock.ts';
import type { JsonObject } from '../lib/json.ts';
import type { ChunkIndex } from '../ports/chunk-index.ts';
import type { Database, SqlValue, Statement } from '../ports/database.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import { SekishoError } from '../spec/errors.ts';
import type { DocumentId, TenantId } from '../spec/ids.ts';
import type { Collection, Collections } from './collections.ts';
import { FILED, HERE, at, type DocumentRecord, type Documents, type Place } from './documents.ts';
import type { OnDocumentsChanged } from './forget-answers.ts';
import { judgeMetadata } from './ingest/accept-document.ts';
import type { InTurn } from './ingest/serial.ts';
import { judgeAccess } from './judge-access.ts';
import { accessJson } from './stored-access.ts';
import { documentTags } from './tags.ts';

/** What changes of a document apart from its text; what is absent stays, access null opens it to everybody. */
export interface Amendment {
  metadata?: JsonObject;
  access?: DocumentAccess | null;
}

export interface AmendDocuments {
  /**
   * Changes access and metadata of a document in every index of its collection, without embedding it again, and
   * forgets the answers that used it. Narrowed access holds from the moment this begins, all else when it resolves.
   * @throws SekishoError document_not_found, collection_not_found, invalid_request, storage_unavailable.
   */
  amend(place: Place, id: DocumentId, amendment: Amendment): Promise<DocumentRecord>;
  /** Finishes what an earlier process began. @returns how many documents. */
  resume(signal: AbortSignal): Promise<number>;
}

export interface AmendDocumentsDeps {
  database: Database;
  clock: Clock;
  collections: Pick<Collections, 'require' | 'get' | 'indexRefs'>;
  documents: Pick<Documents, 'get' | 'live'>;
  index: Pick<ChunkIndex, 'retag'>;
  inTurn: InTurn;
  onDocumentsChanged: OnDocumentsChanged;
}

/** The columns `amended` of documents: the indexes have yet to hear of it, or have heard. */
const TO_TELL = 1;
const TOLD = 2;
const PER_PAGE = 200;

/** The stored document changes first, so that nobody reads what is not his any more; the indexes follow. */
export function createAmendDocuments(deps: AmendDocumentsDeps): AmendDocuments {
  const { database, clock, collections, documents, index } = deps;

  /** Makes the indexes say of the documents what is stored of them. */
  async function tell(place: Place, collection: Collection, ids: readonly DocumentId[]): Promise<void> {
    const live = await documents.live(place, ids);
    const tags = new Map(live.map((document) => [document.id, documentTags(document)]));
    for (const ref of await collections.indexRefs(collection)) await index.retag(ref, tags);
    await deps.onDocumentsChanged(place.tenantId, place.collection, ids);
    // What it is opened to now may want it in answers that went without it.
    await deps.onDocumentsChanged(place.tenantId, place.collection, 'new');
    await database.batch(
      ids.map((id) => ({
        sql: `UPDATE documents SET amended = ? WHERE ${HERE} AND id = ? AND amended = ?`,
        params: [TOLD, ...at(place), id, TO_TELL],
      })),
    );
  }

  return {
    amend: (place, id, amendment) =>
      deps.inTurn(place, async () => {
        const { metadata, access } = amendment;
        if (metadata !== undefined) judgeMetadata(metadata);
        if (access !== undefined && access !== null) judgeAccess(access);
        const collection = await collections.require(place.tenantId, place.collection);
        if ((await documents.get(place, id)) === undefined) throw notFound(place, id);
        const changes = [
          ...(metadata === undefined ? [] : [{ column: 'metadata', value: JSON.stringify(metadata) }]),
          ...(access === undefined ? [] : [{ column: 'access', value: accessJson(access) }]),
        ];
        await database.batch(
          changes.flatMap(({ column, value }) => statementsFor({ place, id, column, value, nowMs: clock.nowMs() })),
        );
        await tell(place, collection, [id]);
        const now = await documents.get(place, id);
        if (now === undefined) throw notFound(place, id);
        return now;
      }),

    resume: async (signal) => {
      let finished = 0;
      for (let tries = 0; !signal.aborted; tries++) {
        const rows = await database.all<{ tenant_id: TenantId; name: string; id: string }>(
          `SELECT c.tenant_id, c.name, d.id FROM documents d
           JOIN collections c ON c.tenant_id = d.tenant_id AND COALESCE(c.id, c.name) = d.collection
           WHERE d.amended = ? AND d.state <> 'deleting' AND c.deleting = 0
           ORDER BY c.tenant_id, c.name, d.id LIMIT ?`,
          [TO_TELL, PER_PAGE],
        );
        if (rows.length === 0) break;
        const places = new Map<string, { place: Place; ids: DocumentId[] }>();
        for (const { tenant_id: tenantId, name: collection, id } of rows) {
          const key = `${tenantId}\n${collection}`;
          const found = places.get(key) ?? { place: { tenantId, collection }, ids: [] };
          places.set(key, found);
          found.ids.push(id);
        }
        for (const { place, ids } of places.values()) {
          await deps.inTurn(place, async () => {
            const collection = await collections.get(place.tenantId, place.collection);
            if (collection !== undefined) await tell(place, collection, ids);
          });
          finished += ids.length;
        }
      }
      return finished;
    },
  };
}

interface ColumnChange {
  place: Place;
  id: DocumentId;
  column: string;
  value: SqlValue;
  nowMs: number;
}

/** The change in every version that there is of the document: the live one, a pending one, one just replaced. */
function statementsFor({ place, id, column, value, nowMs }: ColumnChange): Statement[] {
  return [
    {
      sql: `UPDATE documents SET ${column} = CASE WHEN content_hash IS NULL THEN ${column} ELSE ? END,
          pending_${column} = CASE WHEN pending_hash IS NULL THEN pending_${column} ELSE ? END,
          amended = ${TO_TELL}, updated_ms = ? WHERE ${HERE} AND id = ? AND state <> 'deleting'`,
      params: [value, value, nowMs, ...at(place), id],
    },
    {
      sql: `UPDATE superseded_documents SET ${column} = ?
        WHERE tenant_id = ? AND collection = ${FILED} AND document_id = ?`,
      params: [value, ...at(place), id],
    },
  ];
}

function notFound({ collection }: Place, id: DocumentId): SekishoError {
  return new SekishoError('document_not_found', { values: { collection, document: id.slice(0, 200) } });
}
