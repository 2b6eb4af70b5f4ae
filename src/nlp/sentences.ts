import type { Sentence } from '../ports/text-analyser.ts';
import type { Span } from './span.ts';
import { isSpace, textBlocks, trimmed } from './text-blocks.ts';

const LONGEST_SENTENCE = 2_000;
const LONGEST_BRACKET = 400;
const JAPANESE_END = new Set('。！？｡');
const LATIN_END = new Set('.!?．');
const CLOSERS = new Set('"\'”’)]}」』）］｝】〉》〕*_`');
const SAME_AT_BOTH_ENDS = new Set('"\'*_`');
const OPEN_TO_CLOSE = new Map([...'「『（【〈《〔'].map((open, i) => [open, '」』）】〉》〕'.charAt(i)]));
const BRACKET_ENDS = new Set(OPEN_TO_CLOSE.values());
/** `[1][2]` directly after a full stop cites a source for the sentence before it. */
const CITATION_MARKERS = /^(?:\[\d{1,3}\])+/;
/** After a quotation that ends in 。 these carry the sentence on: 「…。」と言った。 */
const CARRIES_ON = /^[とはがもをにでのやって、，,などへ]/;
const CJK = /[\u3001-\u30ff\u3400-\u9fff\uff01-\uff9f]/;
const ABBREVIATIONS = new Set(
  `mr mrs ms dr prof rev hon st sr jr gen col sgt capt lt gov sen rep pres inc ltd co corp dept univ assn bros vs
  e.g i.e eg ie cf al fig figs eq eqs no nos vol vols pp ed eds ch sec approx est resp incl excl max min
  jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ave blvd rd a.m p.m u.s u.k`.split(
    /\s+/,
  ),
);
/** Abbreviations that may end a sentence: they do where a capital follows. */
const MAY_END = new Set([
  'etc',
  'inc',
  'ltd',
  'co',
  'corp',
  'al',
  'jr',
  'sr',
  'a.m',
  'p.m',
  'u.s',
  'u.k',
  'no',
  'max',
  'min',
  'sun',
  'sat',
]);
const LAST_WORD = /([\p{L}\d]+(?:\.[\p{L}]+)*)$/u;

/**
 * The sentences of English and Japanese text, in order: exact slices, without the white space around them and
 * without the markers of headings, lists and quotes. Everything else that is not white space is in a sentence.
 * A sentence is at most 2,000 code units; longer ones are cut at a space or comma.
 */
export function sentencesOf(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  for (const block of textBlocks(text)) {
    const content = text.slice(block.start, block.end);
    let from = 0;
    for (const to of sentenceEnds(content)) {
      for (const span of bounded(content, trimmed(content, from, to))) {
        const start = block.start + span.start;
        const end = block.start + span.end;
        sentences.push({ start, end, text: text.slice(start, end) });
      }
      from = to;
    }
  }
  return sentences;
}

/** Positions after each sentence of one block; the last is the block's length. */
function sentenceEnds(block: string): number[] {
  const ends: number[] = [];
  const closes = matchingBrackets(block);
  for (let at = 0; at < block.length;) {
    const character = block.charAt(at);
    const closeAt = closes.get(at);
    if (closeAt !== undefined) {
      at = closeAt + 1;
      if (JAPANESE_END.has(block.charAt(closeAt - 1)) && !CARRIES_ON.test(block.slice(at, at + 1))) {
        at = afterClosers(block, { from: ends.at(-1) ?? 0, at });
        ends.push(at);
      }
      continue;
    }
    at++;
    if (!JAPANESE_END.has(character) && !LATIN_END.has(character)) continue;
    while (JAPANESE_END.has(block.charAt(at)) || LATIN_END.has(block.charAt(at))) at++;
    const end = afterClosers(block, { from: ends.at(-1) ?? 0, at });
    if (endsSentence(block, at, end)) {
      at = end;
      ends.push(end);
    }
  }
  if (ends.at(-1) !== block.length) ends.push(block.length);
  return ends;
}

/** Whether the terminator before `mark`, with closers up to `end`, ends a sentence. */
function endsSentence(block: string, mark: number, end: number): boolean {
  const terminator = block.charAt(mark - 1);
  const next = block.charAt(end);
  if (JAPANESE_END.has(terminator)) return !(end > mark && CARRIES_ON.test(next));
  if (next === '') return true;
  if (!isSpace(next.charCodeAt(0))) {
    const before = block.charAt(mark - 2);
    return CJK.test(before) && CJK.test(next) && !(end > mark && CARRIES_ON.test(next));
  }
  if (terminator === '!' || terminator === '?') return !/^\s+\p{Ll}/u.test(block.slice(end, end + 20));
  return !isInsideDot(block, mark, end);
}

/** Whether a dot followed by white space belongs to an abbreviation, an initial, or a number of a list. */
function isInsideDot(block: string, mark: number, end: number): boolean {
  const following = /^\s*(\S)/u.exec(block.slice(end, end + 20))?.[1] ?? '';
  if (/\p{Ll}/u.test(following)) return true;
  const word = LAST_WORD.exec(block.slice(Math.max(0, mark - 21), mark - 1))?.[1] ?? '';
  if (word === '' || end > mark) return false;
  if (/^\p{Lu}$/u.test(word)) return true;
  if (/^\d{1,3}$/.test(word) && isFirstWord(block, mark - 1 - word.length)) return true;
  const lower = word.toLowerCase();
  if (lower === 'no' || lower === 'nos') return /\d/.test(following);
  return ABBREVIATIONS.has(lower) && !(MAY_END.has(lower) && /\p{Lu}/u.test(following));
}

function isFirstWord(block: string, at: number): boolean {
  const before = block.slice(Math.max(0, at - 3), at).trimEnd();
  return before === '' || LATIN_END.has(before.slice(-1)) || JAPANESE_END.has(before.slice(-1));
}

/** Where a sentence that begins at `from` ends with the closers that stand at `at`, and with its citations. */
function afterClosers(block: string, span: { from: number; at: number }): number {
  let { at } = span;
  while (at < block.length && CLOSERS.has(block.charAt(at))) at++;
  at = withoutOpener(block, { ...span, end: at });
  const markers = CITATION_MARKERS.exec(block.slice(at, at + 40))?.[0] ?? '';
  return at + markers.length;
}

/** Leaves the last closer to the next sentence where it looks the same at both ends and this sentence did not open it. */
function withoutOpener(block: string, { from, at, end }: { from: number; at: number; end: number }): number {
  if (end === at || end === block.length || isSpace(block.charCodeAt(end))) return end;
  let first = end;
  while (first > at && block.charAt(first - 1) === block.charAt(end - 1)) first--;
  const mark = block.slice(first, end);
  if (!SAME_AT_BOTH_ENDS.has(mark.charAt(0))) return end;
  return (block.slice(Math.max(from, first - LONGEST_BRACKET), first).split(mark).length - 1) % 2 === 0 ? first : end;
}

/** Opening bracket -> its closing one, for pairs of Japanese brackets that are not too far apart. One pass. */
function matchingBrackets(block: string): Map<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (let at = 0; at < block.length; at++) {
    const character = block.charAt(at);
    if (OPEN_TO_CLOSE.has(character)) {
      open.push(at);
    } else if (BRACKET_ENDS.has(character)) {
      const start = open.pop();
      if (start === undefined) continue;
      if (OPEN_TO_CLOSE.get(block.charAt(start)) !== character) open.length = 0;
      else if (at - start <= LONGEST_BRACKET) pairs.set(start, at);
    }
  }
  return pairs;
}

/** The span in pieces of at most LONGEST_SENTENCE, cut after a space or comma where there is one. */
function bounded(text: string, span: Span): Span[] {
  const pieces: Span[] = [];
  let { start } = span;
  while (span.end - start > LONGEST_SENTENCE) {
    let end = start + LONGEST_SENTENCE;
    const window = text.slice(start, end);
    const soft = Math.max(window.lastIndexOf(' '), window.lastIndexOf('\n'), window.lastIndexOf('、'));
    if (soft > LONGEST_SENTENCE / 2) end = start + soft + 1;
    else if (isHighSurrogate(text.charCodeAt(end - 1))) end--;
    pieces.push(trimmed(text, start, end));
    start = trimmed(text, end, span.end).start;
  }
  pieces.push({ start, end: span.end });
  return pieces.filter((piece) => piece.end > piece.start);
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
