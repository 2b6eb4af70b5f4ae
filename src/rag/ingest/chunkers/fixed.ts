import type { ChunkerTools, ChunkSource, TextChunk } from './chunker.ts';
import { createChunkAt } from './chunk-at.ts';
import { betweenCharacters, sizedPieces, trimmedSpan, type Piece } from './cut-span.ts';
import { WIDEST_GAP } from './pack-pieces.ts';

/** The longest run without white space that counts as one word, in code units. */
const LONGEST_WORD = 32;
/** Words of scripts that are written without spaces are taken so long, in code units. */
const UNSPACED_WORD = 4;
const SPACE = /\s/;
const UNSPACED = /[\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff9f]/;

/**
 * Windows of so many tokens, each beginning `overlapTokens` before the end of the last, at words; headings and
 * sentences are not looked at. Tokens are counted word by word, which is never less than those of the whole.
 */
export function* fixed(
  source: ChunkSource,
  { countTokens }: ChunkerTools,
  { tokens: most, overlapTokens }: { tokens: number; overlapTokens: number },
): Generator<TextChunk> {
  const chunkAt = createChunkAt(source);
  let window: Piece[] = [];
  let tokens = 0;
  /** Words that no chunk holds yet; those before them are overlap. */
  let unsaid = 0;
  for (const word of wordsOf(source.text, { maxTokens: most, countTokens })) {
    const last = window.at(-1);
    const isApart = last !== undefined && word.start - last.end > WIDEST_GAP;
    if (last !== undefined && (isApart || tokens + word.tokens > most)) {
      yield chunkAt({ start: window[0]?.start ?? last.start, end: last.end });
      const kept = isApart ? [] : tailOf(window, Math.min(overlapTokens, most - word.tokens));
      window = kept;
      tokens = kept.reduce((sum, piece) => sum + piece.tokens, 0);
      unsaid = 0;
    }
    window.push(word);
    tokens += word.tokens;
    unsaid++;
  }
  const [first] = window;
  const last = window.at(-1);
  if (first !== undefined && last !== undefined && unsaid > 0) yield chunkAt({ start: first.start, end: last.end });
}

/** The last words that together have no more than so many tokens. */
function tailOf(words: readonly Piece[], tokens: number): Piece[] {
  let from = words.length;
  let sum = 0;
  while (from > 1) {
    sum += words[from - 1]?.tokens ?? 0;
    if (sum > tokens) break;
    from--;
  }
  return words.slice(from);
}

/** Words without the white space around them; what a word weighs counts the space after it. */
function* wordsOf(text: string, limit: { maxTokens: number; countTokens: (text: string) => number }): Generator<Piece> {
  for (let at = trimmedSpan(text, 0, text.length).start; at < text.length;) {
    const end = endOfWord(text, at);
    let next = end;
    while (next < text.length && SPACE.test(text.charAt(next))) next++;
    const weighed = Math.min(next, end + 1);
    const tokens = limit.countTokens(text.slice(at, weighed));
    if (tokens <= limit.maxTokens) yield { start: at, end, tokens };
    else yield* sizedPieces(text, { start: at, end }, limit);
    at = next;
  }
}

function endOfWord(text: string, start: number): number {
  const most = Math.min(text.length, start + (UNSPACED.test(text.charAt(start)) ? UNSPACED_WORD : LONGEST_WORD));
  let end = start + 1;
  while (end < most && !SPACE.test(text.charAt(end))) end++;
  if (end === text.length || SPACE.test(text.charAt(end))) return end;
  const between = betweenCharacters(text, end, start);
  return between > start ? between : Math.min(text.length, end + 1);
}
