import type { Heading } from '../documents.ts';

/**
 * Tells the headings that hold at a span, outermost first. A span that begins with headings belongs under them;
 * one that runs over several short sections belongs under the first. Spans are asked for in order, headings
 * come in order: all of them together cost one pass.
 */
export function createHeadingPath(
  text: string,
  headings: readonly Heading[],
): (start: number, end: number) => string[] {
  const path: Heading[] = [];
  let next = 0;
  return (start, end) => {
    let within = start;
    for (let heading = headings[next]; heading !== undefined; heading = headings[next]) {
      if (heading.start > within || heading.start >= end) break;
      while ((path.at(-1)?.level ?? 0) >= heading.level) path.pop();
      path.push(heading);
      next++;
      // Headings that follow each other without text between lead to the innermost.
      if (heading.start >= start) within = afterHeading(text, heading.start);
    }
    return path.map((heading) => heading.text);
  };
}

/** Where the text after a heading begins: past its line, the rule that may underline it, and white space. */
export function afterHeading(text: string, start: number): number {
  const after = /[^\n]*\n(?:(?:=+|-+)[ \t]*\r?\n)?\s*/y;
  after.lastIndex = start;
  return after.test(text) ? after.lastIndex : text.length;
}
