import type { JsonObject } from '../../../lib/json.ts';
import type { Heading } from '../../documents.ts';

/** What a parser makes of a file: the text that is stored and cited, and what it knows about it. */
export interface ParsedDocument {
  /** Where one file holds several documents: the id of this one, unique within the file. */
  id?: string;
  title?: string;
  text: string;
  /** In order; `start` is an offset into the text. */
  headings: Heading[];
  metadata: JsonObject;
}

/** Thrown by a parser for a file that it cannot read, in words for whoever sent it. */
export class UnreadableFile extends Error {}
