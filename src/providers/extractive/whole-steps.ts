import type { Candidate } from './candidates.ts';
import type { Question } from './question.ts';

const LONGEST = 1_500;
const ITEM = /^[ \t]*(?:[-*+•・]|\d{1,3}[.)．]|[①-⑳]|（\d{1,2}）)[ \t]*\S/;
const NUMBERED = /^[ \t]*(?:\d{1,3}[.)．]|[①-⑳]|（\d{1,2}）)[ \t]*\S/;
const FENCE = /^(?:```|~~~)/;
const LEADS_ON = /[:：][*_]*$|次の(?:とおり|通り|ように|手順)[^。]*。$|以下の(?:とおり|通り|ように|手順)[^。]*。$/;

/** Where an answer ends that begins with a sentence: with the steps, the list or the command that it leads to. */
export function withWholeSteps(
  { start, end }: Pick<Candidate, 'start' | 'end'>,
  content: string,
  question: Pick<Question, 'kind'>,
): { start: number; end: number } {
  const isHow = question.kind === 'how';
  if (isHow && NUMBERED.test(lineAt(content, start))) return stepsAround(content, start, end);
  const leads = LEADS_ON.test(content.slice(start, end));
  if (!leads && !isHow) return { start, end };
  // Nothing but the end of its line may stand between a sentence and what it leads to.
  const gap = /^[ \t]*\n(?:[ \t]*\n)?/.exec(content.slice(end))?.[0];
  if (gap === undefined) return { start, end };
  const from = end + gap.length;
  const next = lineAt(content, from);
  const until = FENCE.test(next) ? fenceEnd(content, from) : leads && ITEM.test(next) ? listEnd(content, from) : end;
  return until - start <= LONGEST ? { start, end: until } : { start, end };
}

/** All items of the numbered list that a step belongs to. */
function stepsAround(content: string, start: number, end: number): { start: number; end: number } {
  let first = content.lastIndexOf('\n', start - 1) + 1;
  while (first > 0) {
    const before = content.lastIndexOf('\n', first - 2) + 1;
    const line = content.slice(before, first - 1);
    if (!ITEM.test(line) && !/^[ \t]+\S/.test(line)) break;
    first = before;
  }
  const last = listEnd(content, first);
  return last > end && last - first <= LONGEST ? { start: first, end: last } : { start, end };
}

/** After the last item, with the lines that belong to items. */
function listEnd(content: string, from: number): number {
  let end = from;
  for (let at = from; at < content.length;) {
    const line = lineAt(content, at);
    if (!ITEM.test(line) && !/^[ \t]+\S/.test(line)) break;
    end = at + line.trimEnd().length;
    at += line.length + 1;
  }
  return end;
}

function fenceEnd(content: string, from: number): number {
  const fence = content.slice(from, from + 3);
  const close = content.indexOf(`\n${fence}`, from);
  return close < 0 ? Infinity : close + 1 + fence.length;
}

function lineAt(content: string, at: number): string {
  const start = content.lastIndexOf('\n', at - 1) + 1;
  const newline = content.indexOf('\n', at);
  return content.slice(start, newline < 0 ? content.length : newline);
}
