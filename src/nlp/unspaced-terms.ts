import { HAN, HANGUL, HIRAGANA, KATAKANA } from './character-class.ts';
import { JAPANESE_STOPWORDS } from './stopwords.ts';

const HIRAGANA_ONLY = /^[\u3041-\u3096\u30fc]+$/;
const KATAKANA_ONLY = /^[\u30a1-\u30fa\u30fc]+$/;

export interface UnspacedRun {
  text: string;
  /** The digits that stand directly before the run, or ''. */
  digitsBefore: string;
}

/**
 * The terms of a run of characters that is written without spaces: words, pairs of neighbouring characters and
 * single Han characters. Words make the match precise, pairs keep it when words are cut differently in the
 * question, single Han characters reach across compounds.
 */
export function createUnspacedTerms(
  classOf: (code: number) => number,
): (run: UnspacedRun, terms: string[]) => void {
  const segmenter = new Intl.Segmenter('ja', { granularity: 'word' });
  return (run, terms) => {
    const { text, digitsBefore } = run;
    if (digitsBefore !== '') terms.push(digitsBefore + firstCharacter(text));
    for (const { segment } of segmenter.segment(text)) {
      const word = wordTerm(segment);
      if (word !== '') terms.push(word);
    }
    let previous = '';
    let previousClass = 0;
    for (const character of text) {
      const characterClass = character.length > 1 ? HAN : classOf(character.charCodeAt(0));
      if (previous !== '' && !(previousClass === HIRAGANA && characterClass === HIRAGANA)) {
        terms.push(previous + character);
      }
      if (characterClass === HAN) terms.push(character);
      previous = character;
      previousClass = characterClass;
    }
  };
}

/** A word as a term: no lone kana, no function word, katakana without the final long-vowel mark (サーバー, サーバ). */
function wordTerm(word: string): string {
  if (word.length === 1) return '';
  if (HIRAGANA_ONLY.test(word)) return JAPANESE_STOPWORDS.has(word) ? '' : word;
  if (word.length >= 4 && word.endsWith('ー') && KATAKANA_ONLY.test(word)) return word.slice(0, -1);
  return word;
}

function firstCharacter(text: string): string {
  return String.fromCodePoint(text.codePointAt(0) ?? 0x20);
}

/** True for classes whose runs have no spaces between words. */
export function isUnspaced(characterClass: number): boolean {
  return characterClass >= HAN && characterClass <= 8 && characterClass !== 0;
}

export const PAIRED = [HAN, HIRAGANA, KATAKANA, HANGUL];
