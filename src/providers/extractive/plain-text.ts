/**
 * A quotation as it is shown: without the marks of Markdown that stand around words (emphasis, addresses of links,
 * images; of a row, the bars between its cells), and without the line breaks and gaps of text that was set to a width.
 * Code keeps its marks: they say that something is to be typed.
 */
export function plainText(text: string, { isRow }: { isRow: boolean }): string {
  return text
    .split(/(```[\s\S]*?(?:```|$)|`[^`\n]*`)/)
    .map((part, i) =>
      i % 2 === 1 ? part : isRow ? unmarked(part).replace(/[ \t]+\|[ \t]+/g, ' – ') : unwrapped(unmarked(part)),
    )
    .join('');
}

/** From this width on, wide characters counted twice, a line is one that was broken because it was full. */
const FULL_LINE = 40;
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff60\uffe0-\uffe6]/;
/** Lines that begin something of their own: items, prompts, rows, columns of a record. */
const BEGINS = /^(?:[-*+•・>$#|]|\d{1,3}[.)．]|[①-⑳]|（\d{1,2}）|[\p{L}\d_ -]{1,40}: )/u;
const ENDS = /[.!?:。！？：][\p{Pe}\p{Pf}"'*_`]*$/u;

function unwrapped(text: string): string {
  let shown = '';
  let before = '';
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/(?<=\S)(?:[ \t]{2,}|\t)(?=\S)/g, ' ');
    const next = line.trimStart();
    const isWrapped = i > 0 && next !== '' && widthOf(before) >= FULL_LINE && !ENDS.test(before) && !BEGINS.test(next);
    if (!isWrapped) shown += i === 0 ? line : `\n${line}`;
    else
      shown = shown.trimEnd() + (WIDE.test(shown.trimEnd().slice(-1)) && WIDE.test(next.charAt(0)) ? '' : ' ') + next;
    before = line.trim();
  }
  return shown;
}

function widthOf(line: string): number {
  let width = 0;
  for (const character of line) width += WIDE.test(character) ? 2 : 1;
  return width;
}

function unmarked(text: string): string {
  return text
    .replace(/!\[([^\][]*)\]\([^()\s]*\)/g, '$1')
    .replace(/\[([^\][]+)\]\([^()\s]*\)/g, '$1')
    .replace(/\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*/g, '$1')
    .replace(/(?<![\p{L}\d_])__(?=\S)([^_\n]+?)(?<=\S)__(?![\p{L}\d_])/gu, '$1')
    .replace(/(?<![\p{L}\d*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\p{L}\d*])/gu, '$1');
}
