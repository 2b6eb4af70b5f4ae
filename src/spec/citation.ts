import type { DocumentId } from './ids.ts';

/**
 * A span of a stored document that supports a sentence of an answer.
 * `start` and `end` count UTF-16 code units of the stored document's text; `sentence` is exactly that slice.
 */
export interface Citation {
  document_id: DocumentId;
  start: number;
  end: number;
  sentence: string;
  /** The span of the answer's text that the citation supports, in UTF-16 code units. */
  answer_start?: number;
  answer_end?: number;
  title?: string;
  /** The page or slide, from 1, on which the span begins, in documents that have pages. */
  page?: number;
}
