import { UnreadableFile } from './parsed.ts';

/** Japanese text that is not Unicode comes in one of these. */
const LEGACY = ['shift_jis', 'euc-jp'] as const;
/** Code units by which two readings of the same bytes are compared. */
const JUDGED = 100_000;

/** Share of bytes above ASCII under which a text without kana is Latin: Japanese has most of its bytes there. */
const LATIN_SHARE = 0.25;
/** Where a page says what it is written in: `<meta charset=...>` or `<?xml encoding=...?>`. */
const DECLARED = /(?:charset|encoding)\s{0,9}=\s{0,9}["']?([A-Za-z0-9_:.-]{2,40})/;

/**
 * Bytes as text: by byte order mark, else UTF-8, else the Japanese encoding in which they read better, else Western;
 * line ends as line feeds.
 * @throws UnreadableFile for what is no text in any of them.
 */
export function decodeText(bytes: Uint8Array): string {
  const marked = utf16Of(bytes);
  const text = marked === undefined ? (unicodeOf(bytes) ?? legacyOf(bytes)) : decoded(bytes, marked);
  if (text === undefined) throw new UnreadableFile('the file is not text in UTF-8, UTF-16, Shift_JIS or EUC-JP');
  return text.replace(/\r\n?/g, '\n');
}

/** A page as text: UTF-8 where it is that whatever it declares, else in the encoding that it declares. */
export function decodeMarkup(bytes: Uint8Array): string {
  if (unicodeOf(bytes) !== undefined) return decodeText(bytes);
  const begin = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 2_048)).toString('latin1');
  const label = DECLARED.exec(begin)?.[1]?.toLowerCase();
  const declared = label === undefined || utf16Of(bytes) !== undefined ? undefined : decoded(bytes, label);
  return declared === undefined ? decodeText(bytes) : declared.replace(/\r\n?/g, '\n');
}

function unicodeOf(bytes: Uint8Array): string | undefined {
  const text = decoded(bytes, 'utf-8');
  // Seven bits that change their meaning by escapes, as in mails and old pages.
  return text?.includes('\u001b$') === true ? (decoded(bytes, 'iso-2022-jp') ?? text) : text;
}

function legacyOf(bytes: Uint8Array): string | undefined {
  const [best] = LEGACY.flatMap((encoding) => decoded(bytes, encoding) ?? []).sort((a, b) => oddness(a) - oddness(b));
  if (best !== undefined && (oddness(best) < 0 || shareOfHigh(bytes) >= LATIN_SHARE)) return best;
  const western = shareOfHigh(bytes) < LATIN_SHARE ? decoded(bytes, 'windows-1252') : undefined;
  return western === undefined || /[\u0080-\u009f]/.test(western) ? best : western;
}

function shareOfHigh(bytes: Uint8Array): number {
  const judged = bytes.subarray(0, JUDGED);
  let high = 0;
  for (const byte of judged) if (byte >= 0x80) high++;
  return high / Math.max(1, judged.length);
}

function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

/** Undefined where the encoding is not known or the bytes are not in it. */
function decoded(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    const text = new TextDecoder(encoding as 'utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/**
 * How little a reading looks like Japanese. Most bytes of EUC-JP are valid Shift_JIS too: its kana then come
 * out as half-width katakana, which nobody writes whole texts in.
 */
function oddness(text: string): number {
  const judged = text.slice(0, JUDGED);
  const odd = judged.match(/[\uff61-\uff9f\u0080-\u009f\ue000-\uf8ff]/g)?.length ?? 0;
  const usual = judged.match(/[\u3040-\u30ff\u3001\u3002]/g)?.length ?? 0;
  return odd - usual;
}
