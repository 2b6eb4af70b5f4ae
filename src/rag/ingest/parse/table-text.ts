/**
 * Rows of a table as paragraphs of `column: value` lines, so that a row can be found and cited by itself. Empty
 * cells are left out; a cell without a header goes by its number.
 */
export function tableText(header: readonly string[], rows: Iterable<readonly string[]>): string {
  const paragraphs: string[] = [];
  for (const row of rows) {
    const lines = row.flatMap((value, column) => {
      const name = header[column]?.trim() ?? '';
      return value.trim() === '' ? [] : [`${name === '' ? column + 1 : name}: ${value}`];
    });
    if (lines.length > 0) paragraphs.push(lines.join('\n'));
  }
  return paragraphs.join('\n\n');
}
