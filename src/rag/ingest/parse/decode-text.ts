import { UnreadableFile } from './parsed.ts';

/** Japanese text that is not Unicode comes in one of these. */
const LEGACY = ['shift_jis', 'euc-jp'] as const;
/** Code units by which two readings of the same bytes are compared. */
const JUDGED = 100_000;

/**
 * Bytes as text: by byte order mark, else UTF-8, else the Japanese encoding in which they read better; line ends
 * as line feeds.
 * @throws UnreadableFile for what is no text in any of them.
 */
export function decodeText(bytes: Uint8Array): string {
  const marked = utf16Of(bytes);
  const text =
    marked === undefined
      ? (decoded(bytes, 'utf-8') ??
        LEGACY.flatMap((encoding) => decoded(bytes, encoding) ?? []).sort((a, b) => oddness(a) - oddness(b))[0])
      : decoded(bytes, marked);
  if (text === undefined) throw new UnreadableFile('the file is not text in UTF-8, UTF-16, Shift_JIS or EUC-JP');
  return text.replace(/\r\n?/g, '\n');
}

function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

function decoded(bytes: Uint8Array, encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'shift_jis' | 'euc-jp') {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
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
