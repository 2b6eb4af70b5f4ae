import PostalMime, { type Address } from 'postal-mime';
import type { JsonObject } from '../../../lib/json.ts';
import { parseHtml } from './html.ts';
import { UnreadableFile, type ParsedDocument } from './parsed.ts';

const MAX_PARTS_DEPTH = 32;
const MAX_HEADERS_BYTES = 1024 * 1024;
const MAX_ATTACHMENTS = 200;
const MAX_NAMED = 50;

export interface ParsedMail {
  message: ParsedDocument;
  attachments: { name: string; bytes: Uint8Array }[];
}

/**
 * A mail: its subject as the title, who wrote to whom and when as metadata, its text (or what its HTML says) as the
 * text. Pictures that belong to the HTML are no attachments.
 */
export async function parseMail(bytes: Uint8Array): Promise<ParsedMail> {
  const mail = await PostalMime.parse(bytes, {
    maxNestingDepth: MAX_PARTS_DEPTH,
    maxHeadersSize: MAX_HEADERS_BYTES,
    maxRfc822NestingDepth: 2,
  }).catch((cause: unknown) => {
    throw new UnreadableFile('the mail is damaged or nested too deep', { cause });
  });
  if (mail.from === undefined && mail.subject === undefined && mail.date === undefined) {
    throw new UnreadableFile('it is not a mail: it has no headers');
  }
  const attachments = mail.attachments.filter(
    ({ related, disposition }) => related !== true || disposition === 'attachment',
  );
  if (attachments.length > MAX_ATTACHMENTS) {
    throw new UnreadableFile(`the mail has more than ${MAX_ATTACHMENTS} attachments`);
  }
  const plain = (mail.text ?? '').replace(/\r\n?/g, '\n').trim();
  const body = plain === '' && mail.html !== undefined ? parseHtml(mail.html) : { text: plain, headings: [] };
  const metadata: JsonObject = {
    ...named('from', mail.from === undefined ? [] : [mail.from]),
    ...named('to', mail.to ?? []),
    ...named('cc', mail.cc ?? []),
    ...(mail.date !== undefined && { date: mail.date.slice(0, 100) }),
    ...(mail.messageId !== undefined && { message_id: mail.messageId.slice(0, 500) }),
  };
  const subject = (mail.subject ?? '').replace(/\s+/g, ' ').trim();
  return {
    message: { text: body.text, headings: body.headings, metadata, ...(subject !== '' && { title: subject }) },
    attachments: attachments.map(({ filename, mimeType, content }, place) => ({
      name: attachmentName(filename, mimeType, place),
      bytes: bytesOf(content),
    })),
  };
}

/** Addresses as `Name <a@b.c>`, those of groups one by one. */
function named(field: 'from' | 'to' | 'cc', addresses: readonly Address[]): JsonObject {
  const flat = addresses.flatMap((each) => (each.group === undefined ? [each] : each.group));
  const shown = flat
    .slice(0, MAX_NAMED)
    .map(({ name, address }) => (name === '' ? address : `${name} <${address}>`).slice(0, 500));
  return shown.length === 0 ? {} : { [field]: field === 'from' ? (shown[0] ?? '') : shown };
}

/** Mails inside mails and calendars often have no name; folders in a name are nobody's business. */
function attachmentName(filename: string | null, mimeType: string, place: number): string {
  const clean =
    (filename ?? '')
      .replace(/\p{Cc}/gu, '')
      .split(/[/\\]/)
      .at(-1)
      ?.slice(-200) ?? '';
  if (clean !== '' && clean !== '.' && clean !== '..') return clean;
  const extension = mimeType === 'message/rfc822' ? 'eml' : mimeType === 'text/plain' ? 'txt' : 'bin';
  return `attachment-${place + 1}.${extension}`;
}

function bytesOf(content: ArrayBuffer | Uint8Array | string): Uint8Array {
  if (typeof content === 'string') return new TextEncoder().encode(content);
  return content instanceof Uint8Array ? content : new Uint8Array(content);
}
