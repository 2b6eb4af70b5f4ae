import type { TextAnalyser } from '../ports/text-analyser.ts';
import { languageOf } from './language.ts';
import { sentencesOf } from './sentences.ts';
import { createTokenizer } from './tokenize.ts';

/** Changes whenever the terms of any text change: collections indexed under another id are not mixed with it. */
const ID = 'ja-en-1';

/** Text analysis for English and Japanese; other languages get whole words (or character pairs) without stemming. */
export function createTextAnalyser(): TextAnalyser {
  return { id: ID, terms: createTokenizer(), sentences: sentencesOf, language: languageOf };
}
