import {
  classOfPair,
  createCharacterClasses,
  DIGIT,
  HAN,
  HIGH_SURROGATE,
  SEPARATOR,
  UNSPACED,
  WORD,
} from './character-class.ts';
import { normalise } from './normalise.ts';
import { createUnspacedTerms } from './unspaced-terms.ts';
import { createWordTerms } from './word-terms.ts';

/** Runs are cut at this many code units: time and memory stay linear on text without a space. */
const LONGEST_RUN = 1024;
const CONNECTORS = new Set(
  ["'", '\u2019', '_', '-', '.', ',', '@', '&', '+', '\u2010', '\u2011'].map((c) => c.charCodeAt(0)),
);
const COMMA = 0x2c;

/**
 * Makes the tokeniser: index terms of a text in order, repeats kept, without white space inside any term.
 * Spaced scripts give stemmed words and whole identifiers, unspaced ones words and character pairs.
 */
export function createTokenizer(): (text: string) => string[] {
  const classOf = createCharacterClasses();
  const wordTerms = createWordTerms();
  const unspacedTerms = createUnspacedTerms(classOf);

  /** Class of the character at `at`; a pair counts as the character it makes. */
  const classAt = (text: string, at: number): number => {
    const code = text.charCodeAt(at);
    const unit = classOf(code);
    return unit === HIGH_SURROGATE ? classOfPair(code, text.charCodeAt(at + 1)) : unit;
  };

  const wordEnd = (text: string, start: number): number => {
    let at = start;
    while (at < text.length && at - start < LONGEST_RUN) {
      const code = text.charCodeAt(at);
      const unit = classOf(code);
      if (unit === WORD || unit === DIGIT) at++;
      else if (unit === HIGH_SURROGATE && classAt(text, at) === WORD) at += 2;
      else if (CONNECTORS.has(code) && joins(text, at)) at++;
      else break;
    }
    return at;
  };

  const joins = (text: string, at: number): boolean => {
    const after = classOf(text.charCodeAt(at + 1));
    if (text.charCodeAt(at) === COMMA) return after === DIGIT && classOf(text.charCodeAt(at - 1)) === DIGIT;
    return after === WORD || after === DIGIT;
  };

  const unspacedEnd = (text: string, start: number): number => {
    let at = start;
    while (at < text.length && at - start < LONGEST_RUN) {
      const characterClass = classAt(text, at);
      if (characterClass < HAN || characterClass > UNSPACED) break;
      at += classOf(text.charCodeAt(at)) === HIGH_SURROGATE ? 2 : 1;
    }
    return at;
  };

  return (input) => {
    const text = normalise(input);
    const addRunTerms = unspacedTerms(text);
    const terms: string[] = [];
    let at = 0;
    let digits = '';
    while (at < text.length) {
      const characterClass = classAt(text, at);
      if (characterClass === SEPARATOR) {
        at++;
        digits = '';
      } else if (characterClass === WORD || characterClass === DIGIT) {
        const end = wordEnd(text, at);
        const word = text.slice(at, end);
        for (const term of wordTerms(word)) terms.push(term);
        digits = characterClass === DIGIT && word.length <= 16 ? word : '';
        at = end;
      } else {
        const end = unspacedEnd(text, at);
        if (digits !== '') terms.push(digits + String.fromCodePoint(text.codePointAt(at) ?? 0x20));
        addRunTerms(at, end, terms);
        digits = '';
        at = end;
      }
    }
    return terms;
  };
}
