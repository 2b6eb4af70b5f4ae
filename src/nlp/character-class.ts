/** What a code unit is to the tokeniser. */
export const SEPARATOR = 1;
export const WORD = 2;
export const DIGIT = 3;
export const HAN = 4;
export const HIRAGANA = 5;
const KATAKANA = 6;
const HANGUL = 7;
/** Scripts written without spaces that have no class of their own: Thai, Lao, Khmer, Burmese. */
export const UNSPACED = 8;
export const HIGH_SURROGATE = 9;

const LETTER_OR_NUMBER = /[\p{L}\p{M}\p{N}]/u;
const UNSPACED_SCRIPT = /[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

function judge(code: number): number {
  if (code < 0x80) {
    if (code >= 0x30 && code <= 0x39) return DIGIT;
    return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) ? WORD : SEPARATOR;
  }
  if (code >= 0xd800 && code <= 0xdbff) return HIGH_SURROGATE;
  if (code >= 0xdc00 && code <= 0xdfff) return SEPARATOR;
  if (code >= 0x4e00 && code <= 0x9fff) return HAN;
  if ((code >= 0x3041 && code <= 0x3096) || (code >= 0x309d && code <= 0x309f)) return HIRAGANA;
  if ((code >= 0x30a1 && code <= 0x30fa) || (code >= 0x30fc && code <= 0x30ff) || (code >= 0x31f0 && code <= 0x31ff)) {
    return KATAKANA;
  }
  if ((code >= 0x3400 && code <= 0x4dbf) || (code >= 0xf900 && code <= 0xfaff) || (code >= 0x3005 && code <= 0x3007)) {
    return HAN;
  }
  if (code >= 0xac00 && code <= 0xd7a3) return HANGUL;
  const character = String.fromCharCode(code);
  if (UNSPACED_SCRIPT.test(character)) return UNSPACED;
  return LETTER_OR_NUMBER.test(character) ? WORD : SEPARATOR;
}

/**
 * The class of a UTF-16 code unit. Judged once per code unit and remembered in 64 KB: a scan over text is then
 * one array read per code unit.
 */
export function createCharacterClasses(): (code: number) => number {
  const known = new Uint8Array(0x10000);
  return (code) => {
    const remembered = known[code] ?? 0;
    if (remembered !== 0) return remembered;
    const judged = judge(code);
    known[code] = judged;
    return judged;
  };
}

/** The class of the character that a surrogate pair makes; half a pair separates. */
export function classOfPair(high: number, low: number): number {
  // Also where there is no second half: the code past the end of a text is NaN.
  if (!(low >= 0xdc00 && low <= 0xdfff)) return SEPARATOR;
  const point = (high - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000;
  if (point >= 0x20000 && point <= 0x3ffff) return HAN;
  return LETTER_OR_NUMBER.test(String.fromCodePoint(point)) ? WORD : SEPARATOR;
}
