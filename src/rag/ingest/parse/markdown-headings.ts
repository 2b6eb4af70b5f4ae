import type { Heading } from '../../documents.ts';

/** A line longer than this is no heading, nor part of one. */
const LONGEST_LINE = 1_000;
const ATX = /^(#{1,6})(?:[ \t]+(.*))?$/;
const UNDERLINE = /^(?:=+|-+)[ \t]*$/;
const FENCE = /^[ \t]*(`{3,}(?!.*`)|~{3,})/;
/** What begins a line that is no paragraph of its own: lists, quotes, tables. */
const OTHER_BLOCK = /^(?:[-*+][ \t]|\d{1,9}[.)][ \t]|>|\|)/;
const INDENTED_CODE = /^(?: {4}|\t)/;
const RULE = /^(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
/** HTML that ends with a mark of its own, on its line or a later one. */
const HTML_UNTIL: readonly [begin: RegExp, end: RegExp][] = [
  [/^<!--/, /-->/],
  [/^<(?:script|pre|style|textarea)(?:\s|>|$)/i, /<\/(?:script|pre|style|textarea)>/i],
];
/** HTML that ends at a blank line: by its name, or because its tag has the line for itself. */
const HTML_BLOCK = new RegExp(
  `^</?(?:address|article|aside|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|` +
    `figcaption|figure|footer|form|frame|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|nav|ol|optgroup|` +
    `option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul)(?:\\s|/?>|$)`,
  'i',
);
const HTML_TAG_ALONE = /^<\/?[a-z][^<>]*>[ \t]*$/i;
const BLANK = /^[ \t]*$/;

/**
 * The headings of a Markdown text that begin a line: `# ATX` and underlined ones (CommonMark 0.31, 4.2 and 4.3),
 * not those in fenced code, HTML, lists or quotes. One pass over the lines: a full parser takes a second per
 * megabyte, and minutes for texts made to hurt it.
 */
export function findMarkdownHeadings(text: string): Heading[] {
  const headings: Heading[] = [];
  let paragraph: { start: number; lines: string[] } | undefined;
  /** What ends the block that is open, where no heading can be in it. */
  let until: RegExp | undefined;
  let inOtherBlock = false;

  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    const lineEnd = text.charAt(end - 1) === '\r' && end > start ? end - 1 : end;
    const line = text.slice(start, Math.min(lineEnd, start + LONGEST_LINE));
    const lineStart = start;
    start = end + 1;

    if (until !== undefined) {
      if (until.test(line)) until = undefined;
      continue;
    }
    if (BLANK.test(line) || (paragraph === undefined && RULE.test(line))) {
      paragraph = undefined;
      inOtherBlock = false;
      continue;
    }
    const atx = line.length < LONGEST_LINE ? ATX.exec(line) : null;
    if (atx !== null) {
      add(headings, { level: atx[1]?.length ?? 1, start: lineStart, text: withoutClosing(atx[2] ?? '') });
      paragraph = undefined;
      inOtherBlock = false;
      continue;
    }
    if (paragraph !== undefined && UNDERLINE.test(line)) {
      add(headings, { level: line.startsWith('=') ? 1 : 2, start: paragraph.start, text: paragraph.lines.join(' ') });
      paragraph = undefined;
      continue;
    }
    const blockEnd = endOfBlock(line, paragraph !== undefined);
    if (blockEnd !== undefined) {
      until = blockEnd === 'same line' ? undefined : blockEnd;
      paragraph = undefined;
      inOtherBlock = false;
      continue;
    }
    if (paragraph === undefined && !inOtherBlock && INDENTED_CODE.test(line)) continue;
    if (paragraph === undefined && (inOtherBlock || OTHER_BLOCK.test(line) || line.length >= LONGEST_LINE)) {
      inOtherBlock = true;
      continue;
    }
    if (paragraph !== undefined && /^(?:[-*+][ \t]+\S|1[.)][ \t]+\S|>)/.test(line)) {
      paragraph = undefined;
      inOtherBlock = true;
      continue;
    }
    paragraph ??= { start: lineStart, lines: [] };
    if (paragraph.lines.length < 3) paragraph.lines.push(line.trim());
  }
  return headings;
}

/** What ends the fence or the HTML that the line begins; undefined where it begins neither. */
function endOfBlock(line: string, inParagraph: boolean): RegExp | 'same line' | undefined {
  const fence = FENCE.exec(line)?.[1];
  if (fence !== undefined) return new RegExp(`^[ \\t]*${fence.charAt(0)}{${Math.min(fence.length, 900)},}[ \\t]*$`);
  for (const [begin, end] of HTML_UNTIL) {
    if (begin.test(line)) return end.test(line) ? 'same line' : end;
  }
  return HTML_BLOCK.test(line) || (!inParagraph && HTML_TAG_ALONE.test(line)) ? BLANK : undefined;
}

function add(headings: Heading[], heading: Heading): void {
  headings.push({ ...heading, text: plain(heading.text) });
}

/** `Heading ##` closes with marks that are not part of it. */
function withoutClosing(text: string): string {
  const trimmed = text.trim();
  let end = trimmed.length;
  while (end > 0 && trimmed.charAt(end - 1) === '#') end--;
  return end === 0 || /[ \t]/.test(trimmed.charAt(end - 1)) ? trimmed.slice(0, end).trim() : trimmed;
}

/** A heading's words without the marks of links, code and emphasis. */
function plain(markdown: string): string {
  return markdown
    .replace(/!?\[([^[\]]{0,300})\](?:\([^()]{0,500}\)|\[[^[\]]{0,300}\])/g, '$1')
    .replace(/`+|\*+|~~|(?<![\p{L}\p{N}])_+|_+(?![\p{L}\p{N}])/gu, '')
    .replace(/\\([!-/:-@[-`{-~])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}
