const VOWELS = new Set(['a', 'e', 'i', 'o', 'u', 'y']);
const DOUBLES = new Set(['bb', 'dd', 'ff', 'gg', 'mm', 'nn', 'pp', 'rr', 'tt']);
const LI_BEFORE = new Set(['c', 'd', 'e', 'g', 'h', 'k', 'm', 'n', 'r', 't']);

const WHOLE_WORDS = new Map([
  ['skis', 'ski'],
  ['skies', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['idly', 'idl'],
  ['gently', 'gentl'],
  ['ugly', 'ugli'],
  ['early', 'earli'],
  ['only', 'onli'],
  ['singly', 'singl'],
  ['sky', 'sky'],
  ['news', 'news'],
  ['howe', 'howe'],
  ['atlas', 'atlas'],
  ['cosmos', 'cosmos'],
  ['bias', 'bias'],
  ['andes', 'andes'],
]);
const KEPT_AFTER_1A = new Set(['inning', 'outing', 'canning', 'herring', 'earring', 'proceed', 'exceed', 'succeed']);

/** Suffix -> replacement, longest first; the suffix must lie in R1. */
const STEP_2: readonly (readonly [string, string])[] = [
  ['ization', 'ize'],
  ['ational', 'ate'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['iveness', 'ive'],
  ['tional', 'tion'],
  ['biliti', 'ble'],
  ['lessli', 'less'],
  ['entli', 'ent'],
  ['ation', 'ate'],
  ['alism', 'al'],
  ['aliti', 'al'],
  ['ousli', 'ous'],
  ['iviti', 'ive'],
  ['fulli', 'ful'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['abli', 'able'],
  ['izer', 'ize'],
  ['ator', 'ate'],
  ['alli', 'al'],
  ['bli', 'ble'],
  ['ogi', 'og'],
  ['li', ''],
];
const STEP_3: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ative', ''],
  ['ical', 'ic'],
  ['ness', ''],
  ['ful', ''],
];
const STEP_4: readonly string[] = [
  'ement',
  'ance',
  'ence',
  'able',
  'ible',
  'ment',
  'ant',
  'ent',
  'ism',
  'ate',
  'iti',
  'ous',
  'ive',
  'ize',
  'ion',
  'al',
  'er',
  'ic',
];

/**
 * The stem of one lower-case English word of ASCII letters and apostrophes.
 * The English (Porter2) stemmer as defined at https://snowballstem.org/algorithms/english/stemmer.html.
 */
export function stemEnglish(input: string): string {
  if (input.length <= 2) return input;
  const listed = WHOLE_WORDS.get(input);
  if (listed !== undefined) return listed;
  let word = markConsonantY(input.charCodeAt(0) === 0x27 ? input.slice(1) : input);
  const r1 = regionOne(word);
  const r2 = afterVowelConsonant(word, r1);
  word = step1a(step0(word));
  if (KEPT_AFTER_1A.has(word)) return word;
  word = step1b(word, r1);
  word = step1c(word);
  word = step2(word, r1);
  word = step3(word, r1, r2);
  word = step4(word, r2);
  return step5(word, r1, r2).toLowerCase();
}

/** A y at the start or after a vowel is a consonant and is written Y until the end. */
function markConsonantY(word: string): string {
  if (!word.includes('y')) return word;
  let out = '';
  for (let i = 0; i < word.length; i++) {
    const c = word.charAt(i);
    out += c === 'y' && (i === 0 || isVowel(out, i - 1)) ? 'Y' : c;
  }
  return out;
}

function isVowel(word: string, at: number): boolean {
  return VOWELS.has(word.charAt(at));
}

function regionOne(word: string): number {
  for (const prefix of ['gener', 'commun', 'arsen']) if (word.startsWith(prefix)) return prefix.length;
  return afterVowelConsonant(word, 0);
}

/** The position after the first non-vowel that follows a vowel, from `from` on; the length where there is none. */
function afterVowelConsonant(word: string, from: number): number {
  for (let i = from + 1; i < word.length; i++) if (!isVowel(word, i) && isVowel(word, i - 1)) return i + 1;
  return word.length;
}

function hasVowel(word: string, end: number): boolean {
  for (let i = 0; i < end; i++) if (isVowel(word, i)) return true;
  return false;
}

function endsInShortSyllable(word: string): boolean {
  const last = word.length - 1;
  if (word.length === 2) return isVowel(word, 0) && !isVowel(word, 1);
  if (word.length < 3) return false;
  const c = word.charAt(last);
  return (
    !isVowel(word, last) && c !== 'w' && c !== 'x' && c !== 'Y' && isVowel(word, last - 1) && !isVowel(word, last - 2)
  );
}

function cut(word: string, count: number): string {
  return word.slice(0, word.length - count);
}

function step0(word: string): string {
  if (!word.includes("'")) return word;
  if (word.endsWith("'s'")) return cut(word, 3);
  if (word.endsWith("'s")) return cut(word, 2);
  return word.endsWith("'") ? cut(word, 1) : word;
}

function step1a(word: string): string {
  if (word.endsWith('sses')) return cut(word, 2);
  if (word.endsWith('ied') || word.endsWith('ies')) return cut(word, word.length > 4 ? 2 : 1);
  if (word.endsWith('us') || word.endsWith('ss')) return word;
  if (word.endsWith('s') && hasVowel(word, word.length - 2)) return cut(word, 1);
  return word;
}

function step1b(word: string, r1: number): string {
  for (const suffix of ['eedly', 'eed']) {
    if (word.endsWith(suffix)) return word.length - suffix.length >= r1 ? `${cut(word, suffix.length)}ee` : word;
  }
  for (const suffix of ['ingly', 'edly', 'ing', 'ed']) {
    if (!word.endsWith(suffix)) continue;
    if (!hasVowel(word, word.length - suffix.length)) return word;
    const stem = cut(word, suffix.length);
    if (stem.endsWith('at') || stem.endsWith('bl') || stem.endsWith('iz')) return `${stem}e`;
    if (DOUBLES.has(stem.slice(-2))) return cut(stem, 1);
    return r1 >= stem.length && endsInShortSyllable(stem) ? `${stem}e` : stem;
  }
  return word;
}

function step1c(word: string): string {
  const last = word.charAt(word.length - 1);
  return (last === 'y' || last === 'Y') && word.length > 2 && !isVowel(word, word.length - 2)
    ? `${cut(word, 1)}i`
    : word;
}

function step2(word: string, r1: number): string {
  for (const [suffix, replacement] of STEP_2) {
    if (!word.endsWith(suffix)) continue;
    const start = word.length - suffix.length;
    if (start < r1) return word;
    if (suffix === 'ogi' && word.charAt(start - 1) !== 'l') return word;
    if (suffix === 'li' && !LI_BEFORE.has(word.charAt(start - 1))) return word;
    return word.slice(0, start) + replacement;
  }
  return word;
}

function step3(word: string, r1: number, r2: number): string {
  for (const [suffix, replacement] of STEP_3) {
    if (!word.endsWith(suffix)) continue;
    const start = word.length - suffix.length;
    if (start < (suffix === 'ative' ? r2 : r1)) return word;
    return word.slice(0, start) + replacement;
  }
  return word;
}

function step4(word: string, r2: number): string {
  for (const suffix of STEP_4) {
    if (!word.endsWith(suffix)) continue;
    const start = word.length - suffix.length;
    if (start < r2) return word;
    if (suffix === 'ion' && word.charAt(start - 1) !== 's' && word.charAt(start - 1) !== 't') return word;
    return word.slice(0, start);
  }
  return word;
}

function step5(word: string, r1: number, r2: number): string {
  const start = word.length - 1;
  if (word.endsWith('e')) {
    const goes = start >= r2 || (start >= r1 && !endsInShortSyllable(word.slice(0, start)));
    return goes ? word.slice(0, start) : word;
  }
  return word.endsWith('ll') && start >= r2 ? word.slice(0, start) : word;
}
