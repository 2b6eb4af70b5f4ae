import type { QueryCitation, QuerySource } from '../../../src/http/contract/query.ts';
import { sourceIndexOf } from '../run/run.ts';

/*
 * A citation mark travels through the Markdown parser as one private-use character whose code tells the
 * source, so that the parser needs no offsets. Text from outside cannot carry one: they are replaced first.
 */
const FIRST_MARK = 0xe100;
const MARKS = 200;
const PRIVATE_USE = /[\ue000-\uf8ff]/g;

/** The 0-based source that the character at `at` marks, or undefined where it is no mark. */
export function citationAt(text: string, at: number): number | undefined {
  const source = text.charCodeAt(at) - FIRST_MARK;
  return source >= 0 && source < MARKS ? source : undefined;
}

/** The text without marks, and the sources they named, in order. */
export function withoutMarks(text: string): { text: string; sources: number[] } {
  const sources: number[] = [];
  const plain = text.replace(PRIVATE_USE, (character) => {
    const source = citationAt(character, 0);
    if (source !== undefined && !sources.includes(source)) sources.push(source);
    return '';
  });
  return { text: plain, sources };
}

/**
 * Puts a mark behind each cited span of the answer, and turns the `[2]` that models write into marks where
 * there is such a source. A span that already names its source is not marked twice.
 */
export function markCitations(
  answer: string,
  citations: readonly QueryCitation[],
  sources: readonly QuerySource[],
): string {
  const clean = answer.replace(PRIVATE_USE, '\ufffd');
  const marks = new Map<number, Set<number>>();
  for (const citation of citations) {
    const source = sourceIndexOf(citation, sources);
    const { answer_start: start, answer_end: end } = citation;
    if (source < 0 || source >= MARKS || start === undefined || end === undefined || start >= end) continue;
    if (clean.slice(start, end + 8).includes(`[${source + 1}]`)) continue;
    const at = clean.slice(0, end).trimEnd().length;
    marks.set(at, (marks.get(at) ?? new Set()).add(source));
  }
  let marked = '';
  let from = 0;
  for (const [at, named] of [...marks].toSorted(([a], [b]) => a - b)) {
    marked += clean.slice(from, at) + [...named].map(markOf).join('');
    from = at;
  }
  marked += clean.slice(from);
  return marked.replace(/ ?\[(\d{1,3})\](?!\()/g, (written, digits: string) => {
    const source = Number(digits) - 1;
    return source >= 0 && source < Math.min(sources.length, MARKS) ? markOf(source) : written;
  });
}

function markOf(source: number): string {
  return String.fromCharCode(FIRST_MARK + source);
}
