import { UnreadableFile } from './parsed.ts';

/** Japanese text that is not Unicode comes in one of these; the first that fits without a mistake is taken. */
const LEGACY = ['shift_jis', 'euc-jp'] as const;

/**
 * Bytes as text: by byte order mark, else UTF-8, else the Japanese encodings, line ends as line feeds.
 * @throws UnreadableFile for what is no text in any of them.
 */
export function decodeText(bytes: Uint8Array): string {
  const marked =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? ('utf-16le' as const)
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? ('utf-16be' as const)
        : undefined;
  for (const encoding of marked === undefined ? (['utf-8', ...LEGACY] as const) : ([marked] as const)) {
    try {
      const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      if (!text.includes('\0')) return text.replace(/\r\n?/g, '\n');
    } catch {
      continue;
    }
  }
  throw new UnreadableFile('the file is not text in UTF-8, UTF-16, Shift_JIS or EUC-JP');
}
