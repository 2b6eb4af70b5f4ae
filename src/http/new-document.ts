import type { z } from 'zod';
import type { JsonObject } from '../lib/json.ts';
import type { NewDocument } from '../rag/ingest/accept-document.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import type { accessSchema, indexRequestSchema } from './contract/documents.ts';

/** A document as a caller sends it. */
export function newDocumentOf(sent: z.infer<typeof indexRequestSchema>['documents'][number]): NewDocument {
  const { id, title, content, metadata, access } = sent;
  return {
    content,
    ...(id !== undefined && { id }),
    ...(title !== undefined && { title }),
    ...(metadata !== undefined && { metadata: metadata as JsonObject }),
    ...(access !== undefined && { access: access === null ? null : documentAccessOf(access) }),
  };
}

/** Access as a caller sends it: what is absent is left out. */
export function documentAccessOf({ roles, groups, attributes }: z.infer<typeof accessSchema>): DocumentAccess {
  return {
    ...(roles !== undefined && { roles }),
    ...(groups !== undefined && { groups }),
    ...(attributes !== undefined && { attributes }),
  };
}
