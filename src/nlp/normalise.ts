const ASCII_ONLY = /^[\0-\x7f]*$/;
/** Soft hyphen, zero-width characters, direction marks, word joiner, byte order mark, variation selectors, tags. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}+/gu;

/** True where every code unit is ASCII. */
export function isAscii(text: string): boolean {
  return ASCII_ONLY.test(text);
}

/**
 * The text as the tokeniser reads it: invisible characters removed, then Unicode NFKC, so that half-width and
 * full-width forms, ligatures and composed kana meet. Case is kept: where identifiers break depends on it.
 * Offsets into the result are not offsets into the input.
 */
export function normalise(text: string): string {
  if (isAscii(text)) return text;
  return text.replace(INVISIBLE, '').normalize('NFKC');
}
