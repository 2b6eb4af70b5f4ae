import { documentTag } from '../gateway/cache/cache-selection.ts';
import type { CollectionName, DocumentId } from '../spec/ids.ts';

/** The tag of everything that was made with documents of a collection. */
export function collectionTag(collection: CollectionName): string {
  return `collection:${collection}`;
}

/** The tag of what was made with one document; another collection may have one of the same id. */
export function documentInTag(collection: CollectionName, id: DocumentId): string {
  return `${collectionTag(collection)}/${documentTag(id)}`;
}

/**
 * The tags of an answer from passages: its collection, and each document once by its id, as an administrator
 * names it, and once with its collection, as its deletion names it.
 */
export function answerTags(
  collection: CollectionName,
  passages: readonly { documentId: DocumentId }[],
): readonly string[] {
  const ids = new Set(passages.map(({ documentId }) => documentId));
  return [collectionTag(collection), ...[...ids].flatMap((id) => [documentTag(id), documentInTag(collection, id)])];
}

/** The tag of every answer to a question, which a document that is new takes along: it may say more. */
export function everyAnswerTag(collection: CollectionName): string {
  return `${collectionTag(collection)}/answers`;
}

/** The tag of answers that the documents do not say, which any change of a document takes along. */
export function unansweredTag(collection: CollectionName): string {
  return `${collectionTag(collection)}/unanswered`;
}
