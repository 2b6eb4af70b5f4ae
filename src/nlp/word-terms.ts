import { ENGLISH_STOPWORDS } from './stopwords.ts';
import { stemEnglish } from './stem-english.ts';

const LONGEST_TERM = 64;
const REMEMBERED_WORDS = 20_000;
const PLAIN_LOWER = /^[a-z]+$/;
const ENGLISH_WORD = /^[a-z']+$/;
const THOUSANDS = /^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const PART = /[\p{Lu}\d]*[\p{Ll}\p{M}\d]+|\p{Lu}+|[^\p{Lu}\p{Ll}]+/gu;
const MARKS = /\p{M}/gu;

/**
 * The terms of one spaced-script word as it stands in the text, connectors inside included (`max_tokens`,
 * `call-model.ts`, `company's`, `1,000`). A plain word gives its stem or nothing; an identifier gives itself and
 * its parts, cut at connectors and at the humps of camel case.
 */
export function createWordTerms(): (word: string) => readonly string[] {
  let known = new Map<string, readonly string[]>();
  return (word) => {
    const remembered = known.get(word);
    if (remembered !== undefined) return remembered;
    const terms = termsOfWord(word);
    if (word.length > LONGEST_TERM) return terms;
    if (known.size >= REMEMBERED_WORDS) known = new Map();
    known.set(word, terms);
    return terms;
  };
}

function termsOfWord(raw: string): readonly string[] {
  if (PLAIN_LOWER.test(raw)) return simpleTerms(raw);
  const word = raw.replaceAll('\u2019', "'");
  if (THOUSANDS.test(word)) return [word.replaceAll(',', '').slice(0, LONGEST_TERM)];
  const pieces = word.split(/[^\p{L}\p{M}\p{N}']+/u).filter((piece) => piece !== '');
  const terms: string[] = [];
  let parts = 0;
  for (const piece of pieces) {
    const humps = /\p{Ll}\p{Lu}/u.test(piece) ? (piece.match(PART) ?? [piece]) : [piece];
    parts += humps.length;
    for (const hump of humps) terms.push(...simpleTerms(fold(hump)));
  }
  if (parts > 1 || pieces[0] !== word) {
    const whole = fold(word);
    if (whole !== '' && whole.length <= LONGEST_TERM && whole !== terms[0]) terms.push(whole);
  }
  return terms;
}

/** Lower case without accents: `Résumé` and `resume` meet. */
function fold(word: string): string {
  const lower = word.toLowerCase();
  return lower.normalize('NFD').replace(MARKS, '').normalize('NFC');
}

function simpleTerms(lower: string): readonly string[] {
  if (lower === '' || ENGLISH_STOPWORDS.has(lower)) return [];
  if (lower.length > LONGEST_TERM) return [lower.slice(0, LONGEST_TERM).toWellFormed()];
  const term = ENGLISH_WORD.test(lower) ? stemEnglish(lower) : lower;
  return term === '' ? [] : [term];
}
