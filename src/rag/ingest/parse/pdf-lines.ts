/** One piece of text as it stands on a page, in units of 1/72 inch; y grows upwards. */
export interface PlacedText {
  text: string;
  x: number;
  y: number;
  width: number;
  height: number;
  endsLine: boolean;
}

export interface Line {
  text: string;
  y: number;
  right: number;
  height: number;
  /** An entry of a table of contents. */
  isEntry: boolean;
}

const CJK = /[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]/;
/** A number of a page that stands for itself: `12`, `- 12 -`, `Page 3 of 9`, `iv`. */
const PAGE_NUMBER =
  /^(?:page |p\. ?)?[-–—] ?\d{1,5} ?[-–—]$|^(?:page |p\. ?)?\d{1,5}(?: ?(?:\/|of) ?\d{1,5})?$|^[ivxl]{1,7}$/i;
/** A line begins something of its own with one of these. */
const ITEM =
  /^(?:[•‣▪●○◦・※–—*-] |\(?\d{1,3}[.)] |\d{1,3}(?:\.\d{1,3}){1,5}\.? |\(?[a-z][.)] |[（(]?[0-9０-９]{1,3}[）)．])/i;
/** Dots that lead the eye from a title to its page. */
const LEADER = /(?:[ .]\.){3,}[ .]*/g;
const LONGEST = 100_000;
/** What a line may be off the margin, as a share of the width, and still be full. */
const FULL = 0.12;
const HEADER_LINES = 1;
const MANY_PAGES = 3;
/** A page of fewer lines is nothing but its edges. */
const MIN_LINES = 2;

/** The lines of a page from its pieces, in the order of the page's own text. */
export function linesOf(pieces: readonly PlacedText[]): Line[] {
  const lines: Line[] = [];
  let open: Line | undefined;
  const end = (): void => {
    const plain = open?.text.replace(/\s+/g, ' ').trim() ?? '';
    const text = plain.replace(LEADER, ' ').trim();
    if (open !== undefined && text !== '') lines.push({ ...open, text, isEntry: text !== plain });
    open = undefined;
  };
  for (const { text, x, y, width, height, endsLine } of pieces) {
    if (text !== '') {
      open ??= { text: '', y, right: x, height: 0, isEntry: false };
      if (open.text.length < LONGEST) open.text += text;
      open.right = Math.max(open.right, x + width);
      open.height = Math.max(open.height, height);
    }
    if (endsLine) end();
  }
  end();
  return lines;
}

/**
 * Pages without what stands on many of them: a first or last line that returns, but for a number at its begin or end, at the same height on
 * at least three pages; and numbers of pages.
 */
export function withoutFurniture(pages: readonly Line[][]): Line[][] {
  const times = new Map<string, number>();
  const sign = (line: Line): string =>
    `${Math.round(line.y / 4)} ${line.text.replace(/^\d+\b|\b(?:\d+|[ivxl]+)$/gi, '#')}`;
  for (const page of pages) {
    for (const line of new Set(edgesOf(page).map(sign))) times.set(line, (times.get(line) ?? 0) + 1);
  }
  return pages.map((page) => {
    const edges = new Set(page.length > MIN_LINES ? edgesOf(page) : []);
    return page.filter(
      (line) => !edges.has(line) || (!PAGE_NUMBER.test(line.text) && (times.get(sign(line)) ?? 0) < MANY_PAGES),
    );
  });
}

/** Where the longest line of a page ends. */
function marginOf(lines: readonly Line[]): number {
  return lines.reduce((most, { right }) => Math.max(most, right), 0);
}

/** Where the longest line of a full page ends: on a page of short lines none of them is full. */
export function usualMarginOf(pages: readonly Line[][]): number {
  const margins = pages.map(marginOf).sort((a, b) => a - b);
  return margins[Math.floor(margins.length * 0.8)] ?? 0;
}

/** The lines that stand highest and lowest on a page. */
function edgesOf(page: readonly Line[]): Line[] {
  const byHeight = [...page].sort((a, b) => b.y - a.y);
  return [...byHeight.slice(0, HEADER_LINES), ...byHeight.slice(-HEADER_LINES)];
}

/**
 * The text of a page. A line that runs to the margin goes on in the next: with a space, without one between
 * Japanese, and without the hyphen where a word was parted. A wider gap, another size of letters or the sign of
 * a list begins anew.
 */
export function textOfLines(lines: readonly Line[], usualMargin: number): { text: string; starts: number[] } {
  const margin = Math.max(usualMargin, marginOf(lines));
  const starts: number[] = [];
  let text = '';
  for (const [place, line] of lines.entries()) {
    const before = lines[place - 1];
    if (before !== undefined) {
      const gap = Math.abs(before.y - line.y);
      const size = Math.max(before.height, line.height, 1);
      const goesOn =
        gap < size * 1.8 &&
        Math.abs(before.height - line.height) < size * 0.15 &&
        before.right > margin * (1 - FULL) &&
        !before.isEntry &&
        !ITEM.test(line.text);
      if (!goesOn) text += gap > size * 1.8 || gap === 0 ? '\n\n' : '\n';
      else if (/\p{L}[-\u00ad\u2010]$/u.test(text.slice(-4)) && /^\p{Ll}/u.test(line.text)) text = text.slice(0, -1);
      else if (!(CJK.test(text.slice(-1)) && CJK.test(line.text.charAt(0)))) text += ' ';
    }
    starts.push(text.length);
    text += line.text;
  }
  return { text, starts };
}
