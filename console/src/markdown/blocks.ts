import { withoutMarks } from './citation-marks.ts';
import { parseInline, type Inline } from './inline.ts';

/** A block of an answer. Lists are flat: an item's `level` is its depth, from 0. */
export type Block =
  | { type: 'paragraph' | 'quote'; children: Inline[] }
  | { type: 'heading'; children: Inline[] }
  | { type: 'code'; text: string; sources: number[] }
  | { type: 'list'; ordered: boolean; first: number; items: { level: number; children: Inline[] }[] }
  | { type: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { type: 'rule' };

const ITEM = /^(\s{0,12})(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const FENCE = /^\s{0,3}(`{3,}|~{3,})/;
const TABLE_RULE = /^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$/;

/**
 * Parses the Markdown that models write: paragraphs, headings, lists, quotes, tables, fenced code. HTML has no
 * meaning here and stays text. A fence that is not closed yet runs to the end, so a stream can be drawn.
 */
export function parseBlocks(text: string): Block[] {
  const lines = text.replaceAll('\r', '').split('\n');
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const taken = blockAt(lines, at);
    if (taken.block !== undefined) blocks.push(taken.block);
    at = taken.next;
  }
  return blocks;
}

interface Taken {
  block?: Block;
  next: number;
}

function blockAt(lines: readonly string[], at: number): Taken {
  const line = lines[at] ?? '';
  if (line.trim() === '') return { next: at + 1 };
  const fence = FENCE.exec(line)?.[1];
  if (fence !== undefined) return codeAt(lines, at, fence);
  if (/^\s{0,3}(?:-{3,}|\*{3,}|_{3,})\s*$/.test(line)) return { block: { type: 'rule' }, next: at + 1 };
  const heading = /^\s{0,3}#{1,6}\s+(.*)$/.exec(line)?.[1];
  if (heading !== undefined) return { block: { type: 'heading', children: parseInline(heading) }, next: at + 1 };
  if (ITEM.test(line)) return listAt(lines, at);
  if (line.includes('|') && TABLE_RULE.test(lines[at + 1] ?? '')) return tableAt(lines, at);
  if (line.startsWith('>')) return quoteAt(lines, at);
  return paragraphAt(lines, at);
}

function codeAt(lines: readonly string[], at: number, fence: string): Taken {
  let end = at + 1;
  while (end < lines.length && !(lines[end] ?? '').trimStart().startsWith(fence)) end += 1;
  const { text, sources } = withoutMarks(lines.slice(at + 1, end).join('\n'));
  return { block: { type: 'code', text, sources }, next: end + 1 };
}

function listAt(lines: readonly string[], at: number): Taken {
  const first = ITEM.exec(lines[at] ?? '')?.[2];
  const items: { level: number; lines: string[] }[] = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next] ?? '';
    const item = ITEM.exec(line);
    const last = items.at(-1);
    if (item !== null) {
      const level = Math.min(3, Math.floor((item[1] ?? '').length / 2));
      items.push({ level, lines: [item[3] ?? ''] });
    } else if (last !== undefined && /^\s{2,}\S/.test(line)) last.lines.push(line.trim());
    else if (line.trim() !== '' || !ITEM.test(lines[next + 1] ?? '')) break;
  }
  const parsed = items.map((item) => ({ level: item.level, children: parseInline(item.lines.join('\n')) }));
  return { block: { type: 'list', ordered: first !== undefined, first: Number(first ?? 1), items: parsed }, next };
}

function tableAt(lines: readonly string[], at: number): Taken {
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split('|')
      .slice(0, 20)
      .map((cell) => parseInline(cell.trim()));
  let next = at + 2;
  while (next < lines.length && (lines[next] ?? '').includes('|')) next += 1;
  const rows = lines.slice(at + 2, next).map(cells);
  return { block: { type: 'table', head: cells(lines[at] ?? ''), rows }, next };
}

function quoteAt(lines: readonly string[], at: number): Taken {
  let next = at;
  while (next < lines.length && (lines[next] ?? '').startsWith('>')) next += 1;
  const text = lines.slice(at, next).map((line) => line.replace(/^>\s?/, ''));
  return { block: { type: 'quote', children: parseInline(text.join('\n')) }, next };
}

function paragraphAt(lines: readonly string[], at: number): Taken {
  let next = at + 1;
  while (next < lines.length && continues(lines[next] ?? '')) next += 1;
  return { block: { type: 'paragraph', children: parseInline(lines.slice(at, next).join('\n')) }, next };
}

function continues(line: string): boolean {
  return line.trim() !== '' && !FENCE.test(line) && !ITEM.test(line) && !/^(?:#{1,6}\s|>)/.test(line);
}
