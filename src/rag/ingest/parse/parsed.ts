import type { JsonObject } from '../../../lib/json.ts';
import type { Heading } from '../../documents.ts';

/** What a parser makes of a file: the text that is stored and cited, and what it knows about it. */
export interface ParsedDocument {
  /** Where one file holds several records: the id of this one, unique within the file. */
  id?: string;
  title?: string;
  text: string;
  /** In order; `start` is an offset into the text. */
  headings: Heading[];
  /** Where the pages or slides begin, as offsets into the text; the first is page 1. */
  pages?: number[];
  metadata: JsonObject;
}

/**
 * One thing found in a file. `path` is what follows the file's own name: empty for the file itself, `/a/b.md` for
 * an entry of an archive, `#plan.pdf` for an attachment of a mail.
 */
export type ParsedPart = { path: string; documents: ParsedDocument[] } | { path: string; problem: string };

/** Thrown by a parser for a file that it cannot read, in words for whoever sent it. */
export class UnreadableFile extends Error {}

/** Why something could not be read, in words for whoever sent it; what libraries say is kept out of it. */
export function problemOf(thrown: unknown, format: string): string {
  return thrown instanceof UnreadableFile ? thrown.message : `it is damaged or not a ${format} file`;
}
