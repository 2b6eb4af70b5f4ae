import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../gateway/cache/canonical-json.ts';
import type { Principal } from '../../../spec/principal.ts';
import { rightsKey } from '../../access.ts';
import type { Question } from '../../answer-question.ts';
import type { Collection } from '../../collections.ts';
import { PROMPT_VERSION } from '../answer-prompt.ts';

/**
 * The key under which the answer to a question is kept: `tenant/rag/collection/hash`. The hash covers the question, its
 * history and filters, what the caller may see, the index that is searched, every setting of the collection, how a
 * prompt is made, and the models that write.
 */
export function questionKey(
  question: Question,
  { collection, models }: { collection: Collection; models: readonly string[] },
): string {
  const { principal } = question;
  const { retrieval, answer } = collection.settings;
  const around = {
    question: question.question.normalize('NFC'),
    history: question.history,
    topK: question.topK ?? retrieval.topK,
    searched: [question.mode ?? retrieval.mode, question.rerank ?? null],
    filters: question.filters ?? {},
    rights: rightsKey(principal),
    // A collection that was deleted and made again is another one.
    collection: [collection.id, collection.createdMs, collection.version, collection.fingerprint],
    settings: { retrieval, answer },
    prompt: PROMPT_VERSION,
    models,
  };
  const hash = createHash('sha256').update(canonicalJson(around, new Set()).text).digest('base64url');
  return `${ownerOf(principal)}/rag/${collection.name}/${hash}`;
}

function ownerOf({ tenantId }: Principal): string {
  return tenantId;
}
