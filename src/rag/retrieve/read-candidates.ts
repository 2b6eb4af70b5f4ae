import type { JsonObject } from '../../lib/json.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import type { CollectionName, DocumentId, TenantId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { maySee } from '../access.ts';
import type { FusedHit } from './fuse.ts';
import type { Passage } from './merge-passages.ts';
import type { ReadCandidate } from './order-passages.ts';

/** A span of a stored document that a hit points to. */
export interface SpanRef {
  documentId: DocumentId;
  /** Tells which version of the document the span counts in. */
  chunkId: string;
  start: number;
  end: number;
}

/** What a stored document says at a span. */
export interface LiveSpan {
  title: string;
  content: string;
  metadata: JsonObject;
  /** Who may find it; absent or null: everybody who may use the collection. */
  access?: DocumentAccess | null;
}

export interface HydrateDocuments {
  /** One entry per span, in order; undefined where the document may not be shown (deleted, being deleted, failed). */
  hydrate(
    tenantId: TenantId,
    collection: CollectionName,
    spans: readonly SpanRef[],
  ): Promise<readonly (LiveSpan | undefined)[]>;
}

/** Where documents are read. */
export interface ReadPlace {
  tenantId: TenantId;
  collection: CollectionName;
}

/**
 * The documents as one caller may read them. The index has asked for his rights already; this looks at the documents
 * themselves, whose access may have been narrowed since.
 */
export function visibleTo(principal: Principal, documents: HydrateDocuments): HydrateDocuments {
  return {
    hydrate: async (tenantId, collection, spans) => {
      const live = await documents.hydrate(tenantId, collection, spans);
      return live.map((span) => (span === undefined || maySee(principal, span.access ?? null) ? span : undefined));
    },
  };
}

/**
 * Reads candidates out of their documents: the chunk that was found, and the passage that is handed on in its place.
 * `missed` are the chunks whose documents may not be shown, or were replaced since the index was asked.
 */
export async function readCandidates(
  documents: HydrateDocuments,
  place: ReadPlace,
  fused: readonly FusedHit[],
): Promise<{ read: ReadCandidate[]; missed: string[] }> {
  const spanOf = ({ hit }: FusedHit, { start, end }: { start: number; end: number }): SpanRef => {
    return { documentId: hit.documentId, chunkId: hit.chunkId, start, end };
  };
  const wide = fused.flatMap((each) => (each.hit.passage === undefined ? [] : [spanOf(each, each.hit.passage)]));
  const spans = [...fused.map((each) => spanOf(each, each.hit)), ...wide];
  const live = spans.length === 0 ? [] : await documents.hydrate(place.tenantId, place.collection, spans);
  const read: ReadCandidate[] = [];
  const missed: string[] = [];
  let nextWide = fused.length;
  fused.forEach(({ hit, score, explain }, at) => {
    const chunk = live[at];
    const passage = hit.passage === undefined ? chunk : live[nextWide++];
    if (chunk === undefined || passage === undefined) {
      missed.push(hit.chunkId);
      return;
    }
    const { documentId, chunkId, headingPath } = hit;
    const { start, end } = hit.passage ?? hit;
    const { title, metadata, content } = passage;
    read.push({
      chunkContent: chunk.content,
      passage: { documentId, chunkId, start, end, headingPath, score, explain, title, content, metadata },
    });
  });
  return { read, missed };
}

/** Reads passages that have grown by merging again; those that cannot be read any more are left out. */
export async function readGrown(
  documents: HydrateDocuments,
  place: ReadPlace,
  passages: readonly Passage[],
): Promise<(Passage & { content: string })[]> {
  const grown = passages.filter(({ content }) => content === undefined);
  const spans = grown.map(({ documentId, chunkId, start, end }) => ({ documentId, chunkId, start, end }));
  const live = spans.length === 0 ? [] : await documents.hydrate(place.tenantId, place.collection, spans);
  const contents = new Map(grown.map((passage, at) => [passage, live[at]?.content]));
  return passages.flatMap((passage) => {
    const content = passage.content ?? contents.get(passage);
    return content === undefined ? [] : [{ ...passage, content }];
  });
}
