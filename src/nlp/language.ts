const SAMPLE = 4_000;
const KANA = /[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]/g;
const HAN = /\p{Script=Han}/gu;
const LETTER = /\p{L}/gu;
const ASCII_LETTER = /[A-Za-z]/g;
const ENGLISH_FUNCTION_WORD = /\b(?:the|what|which|who|how|why|when|where|does|is|are|can|of|mean|means|and|in|to)\b/i;

/**
 * The language of a text by its script, from its first 4,000 code units. Kana make it Japanese, also among Latin
 * identifiers (`max_tokens の既定値は?`); Han alone counts as Japanese while it is short, as queries are;
 * mostly unaccented Latin letters count as English.
 */
export function languageOf(text: string): 'en' | 'ja' | 'other' {
  const sample = text.slice(0, SAMPLE);
  const kana = count(sample, KANA);
  const han = count(sample, HAN);
  const ascii = count(sample, ASCII_LETTER);
  if (kana > 0) {
    if (2 * (kana + han) >= ascii || !ENGLISH_FUNCTION_WORD.test(sample)) return 'ja';
    return 'en';
  }
  if (han > 0 && 2 * han >= ascii) return han <= 40 ? 'ja' : 'other';
  const letters = count(sample, LETTER);
  return letters > 0 && ascii >= 0.9 * letters ? 'en' : 'other';
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
