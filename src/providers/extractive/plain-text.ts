/**
 * A quotation as it is shown: without the marks of Markdown that stand around words (emphasis, addresses of links,
 * images; of a row, the bars between its cells). Code keeps its marks: they say that something is to be typed.
 */
export function plainText(text: string, { isRow }: { isRow: boolean }): string {
  return text
    .split(/(```[\s\S]*?(?:```|$)|`[^`\n]*`)/)
    .map((part, i) => (i % 2 === 1 ? part : isRow ? unmarked(part).replace(/[ \t]+\|[ \t]+/g, ' – ') : unmarked(part)))
    .join('');
}

function unmarked(text: string): string {
  return text
    .replace(/!\[([^\][]*)\]\([^()\s]*\)/g, '$1')
    .replace(/\[([^\][]+)\]\([^()\s]*\)/g, '$1')
    .replace(/\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*/g, '$1')
    .replace(/(?<![\p{L}\d_])__(?=\S)([^_\n]+?)(?<=\S)__(?![\p{L}\d_])/gu, '$1')
    .replace(/(?<![\p{L}\d*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\p{L}\d*])/gu, '$1');
}
