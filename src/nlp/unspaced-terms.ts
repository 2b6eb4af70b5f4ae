import { HAN, HIRAGANA } from './character-class.ts';
import { JAPANESE_STOPWORDS } from './stopwords.ts';

const HIRAGANA_ONLY = /^[\u3041-\u3096\u30fc]+$/;
const KATAKANA_ONLY = /^[\u30a1-\u30fa\u30fc]+$/;
/** The segmenter is started once per window, not once per run: starting costs as much as cutting 30 characters. */
const WINDOW = 4096;

/** Adds the terms of the run from `start` to `end` of the text; runs come in order and are at most half a window long. */
export type AddRunTerms = (start: number, end: number, terms: string[]) => void;

/**
 * The terms of runs that are written without spaces: words, pairs of neighbouring characters (unless both are
 * hiragana, which is mostly grammar) and single Han characters. Words make a match precise, pairs keep it when
 * words are cut differently in the question, single Han characters reach across compounds.
 */
export function createUnspacedTerms(classOf: (code: number) => number): (text: string) => AddRunTerms {
  const segmenter = new Intl.Segmenter('ja', { granularity: 'word' });
  return (text) => {
    let windowStart = 0;
    let windowEnd = 0;
    let words: Iterator<Intl.SegmentData> | undefined;
    let word: IteratorResult<Intl.SegmentData> | undefined;

    const addWords = (start: number, end: number, terms: string[]): void => {
      if (words === undefined || end > windowEnd) {
        windowStart = start;
        windowEnd = Math.min(text.length, start + WINDOW);
        words = segmenter.segment(text.slice(windowStart, windowEnd))[Symbol.iterator]();
        word = words.next();
      }
      for (; word !== undefined && word.done !== true; word = words.next()) {
        const at = windowStart + word.value.index;
        if (at >= end) return;
        if (at < start) continue;
        const { segment } = word.value;
        const term = wordTerm(at + segment.length <= end ? segment : segment.slice(0, end - at));
        if (term !== '') terms.push(term);
      }
    };

    return (start, end, terms) => {
      addWords(start, end, terms);
      let previous = start;
      let previousClass = 0;
      for (let at = start; at < end;) {
        const isPair = (text.charCodeAt(at) & 0xfc00) === 0xd800;
        const next = at + (isPair ? 2 : 1);
        const characterClass = isPair ? HAN : classOf(text.charCodeAt(at));
        if (at > start && !(previousClass === HIRAGANA && characterClass === HIRAGANA)) {
          terms.push(text.slice(previous, next));
        }
        if (characterClass === HAN) terms.push(text.slice(at, next));
        previous = at;
        previousClass = characterClass;
        at = next;
      }
    };
  };
}

/** A word as a term: no lone kana, no function word, katakana without the final long-vowel mark (サーバー, サーバ). */
function wordTerm(word: string): string {
  if (word.length === 1) return '';
  if (HIRAGANA_ONLY.test(word)) return JAPANESE_STOPWORDS.has(word) ? '' : word;
  if (word.length >= 4 && word.endsWith('ー') && KATAKANA_ONLY.test(word)) return word.slice(0, -1);
  return word;
}
