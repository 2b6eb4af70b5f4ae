import { randomNumbers } from '../../test/contract/chunk-index/random-numbers.ts';
import type { CorpusRow } from './sets.ts';

const CHUNK_CHARACTERS = { en: 700, ja: 320 };
const SWAPPED_SHARE = 0.15;

/** Text of one language in pieces: words, or pairs of characters where words are not spaced. */
interface Pieces {
  language: 'en' | 'ja';
  all: string[];
}

/**
 * Any number of chunks of about 120 words, made of real paragraphs: joined to length from a random place, with
 * some pieces swapped for others of the same language, so that no two chunks are the same.
 */
export function* bulkCorpus(texts: readonly string[], count: number, seed: number): Generator<CorpusRow> {
  const random = randomNumbers(seed);
  const sources = [piecesOf(texts, 'en'), piecesOf(texts, 'ja')];
  for (let i = 0; i < count; i++) {
    const source = sources[i % 2];
    if (source === undefined) return;
    yield { id: `b${i}`, title: '', text: passage(source, CHUNK_CHARACTERS[source.language], SWAPPED_SHARE, random) };
  }
}

/** Questions of a few words each, cut from the same texts. */
export function bulkQuestions(texts: readonly string[], count: number, seed: number): string[] {
  const random = randomNumbers(seed);
  const sources = [piecesOf(texts, 'en'), piecesOf(texts, 'ja')];
  return Array.from({ length: count }, (_, i) => {
    const source = sources[i % 2] ?? { language: 'en', all: [] };
    return passage(source, source.language === 'en' ? 60 : 24, 0.1, random);
  });
}

function piecesOf(texts: readonly string[], language: Pieces['language']): Pieces {
  const isJapanese = (text: string): boolean => /[\u3040-\u30ff\u4e00-\u9fff]/.test(text);
  const all = texts
    .filter((text) => isJapanese(text) === (language === 'ja'))
    .flatMap((text) => (language === 'en' ? text.split(/(?<=\s)/) : (text.match(/[\s\S]{1,2}/gu) ?? [])));
  return { language, all };
}

function passage({ all }: Pieces, characters: number, swappedShare: number, random: () => number): string {
  const pick = (): string => all[Math.floor(random() * all.length)] ?? '';
  let text = '';
  for (let at = Math.floor(random() * all.length); text.length < characters; at++) {
    text += random() < swappedShare ? pick() : (all[at % all.length] ?? '');
  }
  return text;
}
