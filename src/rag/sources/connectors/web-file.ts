import { GuardedFetchError, type GuardedAnswer } from '../../../lib/guarded-request.ts';
import type { FetchedItem } from './connector.ts';

/** Who we say we are, also to robots.txt. */
export const ROBOT_NAME = 'Sekisho';
export const USER_AGENT = `${ROBOT_NAME}/1.0`;

/** What a media type is called as a file. Types that say little leave it to the name. */
const EXTENSIONS: ReadonlyMap<string, string> = new Map([
  ['text/html', 'html'],
  ['application/xhtml+xml', 'html'],
  ['text/markdown', 'md'],
  ['text/csv', 'csv'],
  ['text/tab-separated-values', 'tsv'],
  ['application/json', 'json'],
  ['application/x-ndjson', 'jsonl'],
  ['application/jsonl', 'jsonl'],
  ['application/pdf', 'pdf'],
  ['application/epub+zip', 'epub'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.openxmlformats-officedocument.presentationml.presentation', 'pptx'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
  ['message/rfc822', 'eml'],
]);

/** Encodings that pages name and that are not UTF-8. */
const ENCODINGS = [
  'shift_jis',
  'euc-jp',
  'iso-8859-1',
  'windows-1252',
  'utf-16le',
  'utf-16be',
  'gb18030',
  'gbk',
  'big5',
  'euc-kr',
] as const;

/** The media type of an answer, in lower case and without parameters; '' where it does not say. */
export function mediaTypeOf(headers: Headers): string {
  return (headers.get('content-type')?.split(';')[0] ?? '').trim().toLowerCase();
}

/** What marks the version of an answer: its ETag, else when it was changed. */
export function stampOf(headers: Headers): string | undefined {
  const etag = headers.get('etag');
  const modified = headers.get('last-modified');
  if (etag !== null && etag.length <= 500) return `etag ${etag}`;
  return modified === null || modified.length > 100 ? undefined : `modified ${modified}`;
}

/** Asks for what is newer than a stamp. */
export function conditionOf(stamp: string | undefined): Record<string, string> {
  if (stamp?.startsWith('etag ') === true) return { 'if-none-match': stamp.slice('etag '.length) };
  return stamp?.startsWith('modified ') === true ? { 'if-modified-since': stamp.slice('modified '.length) } : {};
}

/**
 * An answer as a file: its name tells the format that the answer says it has, and text that names its encoding
 * comes in UTF-8. 304 is unchanged, 404 and 410 are gone.
 * @throws GuardedFetchError for every other status that is no success.
 */
export function webFileOf(answer: GuardedAnswer): FetchedItem | 'unchanged' | 'gone' {
  const { status, headers, url } = answer;
  if (status === 304) return 'unchanged';
  if (status === 404 || status === 410) return 'gone';
  if (status < 200 || status > 299) throw new GuardedFetchError('status', `the host answered ${status}`);
  const type = mediaTypeOf(headers);
  const stamp = stampOf(headers);
  const modified = Date.parse(headers.get('last-modified') ?? '');
  return {
    name: nameOf(url, type),
    bytes: type.startsWith('text/') || type.endsWith('xhtml+xml') ? inUtf8(answer) : answer.bytes,
    url,
    ...(stamp !== undefined && { stamp }),
    modified: Number.isNaN(modified) ? new Date().toISOString() : new Date(modified).toISOString(),
  };
}

function nameOf(url: string, type: string): string {
  const last = new URL(url).pathname.split('/').findLast((part) => part !== '') ?? 'index';
  const name = decoded(last)
    .replace(/[/\\\p{Cc}]/gu, '_')
    .slice(0, 200);
  const extension = EXTENSIONS.get(type) ?? (type === 'text/plain' && !name.includes('.') ? 'txt' : undefined);
  return extension === undefined || name.toLowerCase().endsWith(`.${extension}`) ? name : `${name}.${extension}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The bytes of a text, whatever encoding the answer names; the parser knows UTF-8 and guesses the rest. */
function inUtf8({ headers, bytes }: GuardedAnswer): Uint8Array {
  const named = /charset\s*=\s*"?([\w.:-]{1,40})/i.exec(headers.get('content-type') ?? '')?.[1]?.toLowerCase();
  const encoding = ENCODINGS.find((each) => each === named || each.replace('_', '-') === named);
  return encoding === undefined ? bytes : new TextEncoder().encode(new TextDecoder(encoding).decode(bytes));
}
