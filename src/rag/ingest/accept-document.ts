import { createHash } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../lib/json.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { DocumentId } from '../../spec/ids.ts';
import type { Heading, PendingDocument } from '../documents.ts';
import { judgeAccess } from '../judge-access.ts';
import { withPageStarts } from '../pages.ts';
import { tagsOf } from '../tags.ts';
import { parseMarkdown } from './parse/markdown.ts';

/** A document as it comes in; without headings its text is read as Markdown to find some. */
export interface NewDocument {
  id?: DocumentId;
  title?: string;
  content: string;
  metadata?: JsonObject;
  /** Who may find it; absent: whoever could find the version before, and everybody where there was none. */
  access?: DocumentAccess | null;
  headings?: Heading[];
  /** Offsets into the content where its pages begin, in order, the first page first. */
  pages?: readonly number[];
}

/** A document that has been judged; see NewDocument for an absent access. */
export type AcceptedDocument = Omit<PendingDocument, 'access'> & { access?: DocumentAccess | null };

const MAX_TEXT = 10_000_000;
const MAX_ID = 512;
const MAX_TITLE = 1_000;
/** Every chunk below a heading is indexed with it: the words that tell what a section is about come first. */
const MAX_HEADING = 200;
const MAX_METADATA = 64 * 1024;
const MAX_METADATA_DEPTH = 20;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Judges a document and makes of it what is stored. Without an id it gets one from its content, so that the
 * same document sent twice is one.
 * @throws SekishoError invalid_request where a part is missing, not allowed or beyond its bound.
 */
export function acceptDocument(document: NewDocument): AcceptedDocument {
  const { content: text, pages = [] } = document;
  const metadata = pages.length === 0 ? (document.metadata ?? {}) : withPageStarts(document.metadata ?? {}, pages);
  if (text.length > MAX_TEXT) throw wrong('content', `longer than ${MAX_TEXT} characters`);
  if (text.trim() === '') throw wrong('content', 'empty');
  judgeMetadata(metadata);
  const metadataJson = JSON.stringify(metadata);
  const { headings, title: found } = headingsOf(document);
  const title = (document.title ?? found ?? '').slice(0, MAX_TITLE);
  const { access } = document;
  if (access !== undefined && access !== null) judgeAccess(access);
  const said = `${title}\0${metadataJson}\0${text}`;
  const contentHash = createHash('sha256').update(said).digest('hex');
  // Who may find a document is no part of what tells it from others.
  const hash =
    access === undefined
      ? contentHash
      : createHash('sha256')
          .update(`${said}\0access ${JSON.stringify(access)}`)
          .digest('hex');
  const id = document.id ?? `doc_${contentHash.slice(0, 24)}`;
  if (id === '' || id.length > MAX_ID) throw wrong('id', `1 to ${MAX_ID} characters`);
  return { id, title, text, metadata, headings, hash, ...(access !== undefined && { access }) };
}

function headingsOf({ content, headings: given }: NewDocument): { headings: Heading[]; title?: string } {
  if (given !== undefined) return { headings: given.map(bounded) };
  const { text, headings, title } = parseMarkdown(content);
  // The parser counts from after a front matter, which stays part of a document given as text.
  const shift = content.length - text.length;
  return {
    headings: headings.map((heading) => bounded({ ...heading, start: heading.start + shift })),
    ...(title !== undefined && { title }),
  };
}

function bounded(heading: Heading): Heading {
  return heading.text.length <= MAX_HEADING ? heading : { ...heading, text: heading.text.slice(0, MAX_HEADING) };
}

/** @throws SekishoError invalid_request for metadata that cannot be taken: too large, too deep, keys not allowed. */
export function judgeMetadata(metadata: JsonObject): void {
  let level: JsonValue[] = [metadata];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_METADATA_DEPTH) throw wrong('metadata', `nested deeper than ${MAX_METADATA_DEPTH} levels`);
    level = level.flatMap((value) => {
      if (typeof value !== 'object' || value === null) return [];
      if (!Array.isArray(value) && Object.keys(value).some((key) => FORBIDDEN_KEYS.has(key))) {
        throw wrong('metadata', 'a key is not allowed');
      }
      return Object.values(value).filter((inner) => inner !== undefined);
    });
  }
  if (JSON.stringify(metadata).length > MAX_METADATA) throw wrong('metadata', `larger than ${MAX_METADATA} bytes`);
  // Fails where there are more values than can be filtered on.
  tagsOf(metadata);
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
