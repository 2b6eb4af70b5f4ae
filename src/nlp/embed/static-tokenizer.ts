import { createPrefixTable } from './prefix-table.ts';

/** Cuts text into row numbers of the table. */
export interface StaticTokenizer {
  /** Writes the rows of `text` into `sink` from its start and returns how many there are; the sink grows as needed. */
  tokenize(text: string, sink: RowSink): number;
}

/** A reusable buffer of row numbers. */
export interface RowSink {
  rows: Int32Array;
}

const MAX_WORD = 64;
const MAX_RUN = 256;
const MAX_PIECE = 24;
const MAX_ENTRY = 10;
const UNKNOWN_COST = 400;
const REMEMBERED_WORDS = 32_768;
const UNREACHED = 0x3fffffff;

const OTHER = 0;
const WORD = 1;
const UNSPACED = 2;

/** Class of each UTF-16 unit; the same ranges as models/static-en-ja/tokenizer.py. */
function characterClasses(): Uint8Array {
  const classes = new Uint8Array(0x10000);
  const mark = (first: number, last: number, kind: number): void => {
    classes.fill(kind, first, last + 1);
  };
  for (const [first, last] of [
    [0x30, 0x39],
    [0x61, 0x7a],
    [0xdf, 0xf6],
    [0xf8, 0x24f],
    [0x3b1, 0x3c9],
  ] as const) {
    mark(first, last, WORD);
  }
  for (const [first, last] of [
    [0x3005, 0x3007],
    [0x3041, 0x3096],
    [0x30a1, 0x30fa],
    [0x30fc, 0x30fc],
    [0x3400, 0x4dbf],
    [0x4e00, 0x9fff],
    [0xf900, 0xfaff],
  ] as const) {
    mark(first, last, UNSPACED);
  }
  return classes;
}

/**
 * NFKC and lower case, then runs: a word run gives its own row or, by greedy longest match, a first piece and `##`
 * continuations (WordPiece, Wu et al. 2016); an unspaced run gives the cheapest path over the entries (Viterbi).
 * What no entry covers gives no row. Linear in the length of the text: runs are cut at 64 and 256 units.
 */
export function createStaticTokenizer(entries: readonly string[], costs: Uint16Array): StaticTokenizer {
  const classes = characterClasses();
  const words = new Map<string, number>();
  const tails = new Map<string, number>();
  const unspaced = new Map<string, number>();
  entries.forEach((entry, row) => {
    if (entry.startsWith('##')) tails.set(entry.slice(2), row);
    else if (classes[entry.charCodeAt(0)] === UNSPACED) unspaced.set(entry, row);
    else words.set(entry, row);
  });
  const prefixes = createPrefixTable(unspaced);
  const pieced = new Map<string, readonly number[]>();
  const best = new Int32Array(MAX_RUN + 1);
  const from = new Int32Array(MAX_RUN + 1);
  const via = new Int32Array(MAX_RUN + 1);

  const pieces = (word: string): readonly number[] => {
    const rows: number[] = [];
    let at = 0;
    while (at < word.length) {
      const table = at === 0 ? words : tails;
      let end = Math.min(word.length, at + MAX_PIECE);
      let row: number | undefined;
      while (end > at && (row = table.get(word.slice(at, end))) === undefined) end -= 1;
      if (row !== undefined) rows.push(row);
      at = row === undefined ? at + 1 : end;
    }
    return rows;
  };

  const piecesOf = (word: string): readonly number[] => {
    const known = pieced.get(word);
    if (known !== undefined) return known;
    const rows = pieces(word);
    // Bounded by starting over: text that brings 32,768 new words brings more of them.
    if (pieced.size >= REMEMBERED_WORDS) pieced.clear();
    // A copy of the characters: a slice would keep the whole text alive.
    pieced.set(Array.from(word).join(''), rows);
    return rows;
  };

  /** Viterbi over text[start, end); writes rows from `count` on and returns the new count. */
  const cutRun = (text: string, start: number, end: number, sink: RowSink, count: number): number => {
    const length = end - start;
    best.fill(UNREACHED, 0, length + 1);
    best[0] = 0;
    for (let at = 0; at < length; at += 1) {
      const here = best[at] ?? UNREACHED;
      if (here + UNKNOWN_COST < (best[at + 1] ?? 0)) {
        best[at + 1] = here + UNKNOWN_COST;
        from[at + 1] = at;
        via[at + 1] = -1;
      }
      let node = 1;
      const last = Math.min(length, at + MAX_ENTRY);
      for (let to = at + 1; to <= last; to += 1) {
        node = prefixes.step(node, text.charCodeAt(start + to - 1));
        if (node === 0) break;
        const row = prefixes.rowAt(node);
        if (row < 0) continue;
        const cost = here + (costs[row] ?? UNKNOWN_COST);
        if (cost < (best[to] ?? 0)) {
          best[to] = cost;
          from[to] = at;
          via[to] = row;
        }
      }
    }
    let found = 0;
    for (let at = length; at > 0; at = from[at] ?? 0) if ((via[at] ?? -1) >= 0) found += 1;
    let slot = count + found;
    for (let at = length; at > 0; at = from[at] ?? 0) {
      const row = via[at] ?? -1;
      if (row >= 0) sink.rows[(slot -= 1)] = row;
    }
    return count + found;
  };

  return {
    tokenize(raw, sink) {
      const text = raw.normalize('NFKC').toLowerCase();
      let count = 0;
      let at = 0;
      while (at < text.length) {
        const kind = classes[text.charCodeAt(at)];
        const start = at;
        at += 1;
        if (kind === OTHER) continue;
        const limit = Math.min(text.length, start + (kind === WORD ? MAX_WORD : MAX_RUN));
        while (at < limit && classes[text.charCodeAt(at)] === kind) at += 1;
        if (count + MAX_RUN > sink.rows.length) {
          const wider = new Int32Array(2 * sink.rows.length + MAX_RUN);
          wider.set(sink.rows);
          sink.rows = wider;
        }
        if (kind === UNSPACED) {
          count = cutRun(text, start, at, sink, count);
          continue;
        }
        const word = text.slice(start, at);
        const row = words.get(word);
        if (row !== undefined) sink.rows[count++] = row;
        else for (const piece of piecesOf(word)) sink.rows[count++] = piece;
      }
      return count;
    },
  };
}
