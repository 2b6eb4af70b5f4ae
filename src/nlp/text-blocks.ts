import type { Span } from './span.ts';

const FENCE = /^(?:```|~~~)/;
const HEADING = /^#{1,6}[ \t]+/;
const LIST_OR_QUOTE = /^(?:(?:[-*+\u2022\u30fb]|\d{1,3}[.)]|>)[ \t]+)+/;
const TABLE_ROW = /^\|/;
const RULE_LINE = /^(?:[-=*_][ \t]*){3,}$/;
const ENDS_SENTENCE = /[.!?:;。．！？｡][\p{Pe}\p{Pf}"'*_`]*$/u;
const STARTS_LOWER = /^[\p{Ll},;)]/u;
const WRAPPED_LATIN = 50;
const WRAPPED_JAPANESE = 30;
const JAPANESE = /[\u3041-\u30fa\u4e00-\u9fff]/;

/**
 * Cuts a text where a sentence cannot run on: at blank lines, headings, list items, table rows, code lines, and
 * lines that were not wrapped. Markers of headings, lists and quotes are left out of the spans.
 */
export function textBlocks(text: string): Span[] {
  const blocks: Span[] = [];
  let open: Span | undefined;
  let inFence = false;
  const close = (): void => {
    if (open !== undefined) blocks.push(open);
    open = undefined;
  };
  for (let lineStart = 0; lineStart <= text.length;) {
    const newline = text.indexOf('\n', lineStart);
    const lineEnd = newline < 0 ? text.length : newline;
    const line = trimmed(text, lineStart, lineEnd);
    lineStart = lineEnd + 1;
    const content = text.slice(line.start, line.end);
    if (content === '') {
      close();
      continue;
    }
    if (FENCE.test(content)) inFence = !inFence;
    if (inFence || FENCE.test(content) || TABLE_ROW.test(content) || RULE_LINE.test(content)) {
      close();
      blocks.push(line);
      continue;
    }
    const heading = HEADING.exec(content);
    const marker = heading ?? LIST_OR_QUOTE.exec(content);
    if (marker !== null) close();
    if (open !== undefined && !runsOn(text.slice(open.start, open.end), content)) close();
    const start = line.start + (marker?.[0].length ?? 0);
    open = open === undefined ? { start, end: line.end } : { start: open.start, end: line.end };
    if (heading !== null) close();
  }
  close();
  return blocks.filter((block) => block.end > block.start);
}

/** Whether a line that follows `before` continues its sentence: it was wrapped, or it starts in lower case. */
function runsOn(before: string, next: string): boolean {
  if (ENDS_SENTENCE.test(before.slice(-8))) return true;
  const lastLine = before.slice(before.lastIndexOf('\n') + 1);
  if (JAPANESE.test(lastLine.slice(-1))) return lastLine.length >= WRAPPED_JAPANESE;
  return lastLine.length >= WRAPPED_LATIN || STARTS_LOWER.test(next);
}

/** The span without white space at either end. */
export function trimmed(text: string, from: number, to: number): Span {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return { start, end };
}

export function isSpace(code: number): boolean {
  if (code <= 0x20) return true;
  return (
    code === 0xa0 ||
    code === 0x3000 ||
    (code >= 0x2000 && code <= 0x200b) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0xfeff ||
    code === 0x85 ||
    code === 0x1680
  );
}
