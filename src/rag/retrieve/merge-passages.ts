import type { JsonObject } from '../../lib/json.ts';
import type { DocumentId } from '../../spec/ids.ts';
import type { HitExplain } from '../../spec/document.ts';

/** A hit with the span that is handed on. */
export interface Passage {
  documentId: DocumentId;
  /** The chunk that was found; of a passage of several, the best one. */
  chunkId: string;
  start: number;
  end: number;
  headingPath: string[];
  score: number;
  title: string;
  /** What the document says at the span; absent where the span has grown and is to be read again. */
  content?: string;
  metadata: JsonObject;
  explain: HitExplain;
}

/** White space between two chunks that follow each other, at most, in code units. */
const WIDEST_GAP = 500;
/** A passage stops growing here, in code units: a whole book is no passage. */
const LONGEST_PASSAGE = 8_000;

interface Part {
  chunkId: string;
  start: number;
  end: number;
}

/**
 * Takes passages, best first, until there are `topK`: one that overlaps or touches a passage already taken of the same
 * version of its document becomes part of it, which keeps the place and score of its best chunk. Touching chunks follow
 * each other in their document with nothing but white space between them. One that lies inside another adds nothing.
 */
export function mergePassages(passages: readonly Passage[], topK: number): Passage[] {
  const taken: { passage: Passage; parts: Part[] }[] = [];
  for (const next of passages) {
    const home = taken.find(({ passage, parts }) => joins(passage, parts, next));
    if (home === undefined) {
      if (taken.length === topK) break;
      taken.push({ passage: next, parts: [partOf(next)] });
      continue;
    }
    home.parts.push(partOf(next));
    absorb(home, next.start, next.end);
    // What now touches two passages makes one of them.
    for (let at = taken.length - 1; at >= 0; at--) {
      const other = taken[at];
      if (other === undefined || other === home || !joins(home.passage, home.parts, other.passage)) continue;
      const [keep, drop] = taken.indexOf(home) < at ? [home, other] : [other, home];
      keep.parts.push(...drop.parts);
      absorb(keep, drop.passage.start, drop.passage.end);
      taken.splice(taken.indexOf(drop), 1);
      break;
    }
  }
  return taken.map(({ passage, parts }) => {
    if (parts.length === 1) return passage;
    const chunks = parts.sort((a, b) => a.start - b.start || a.end - b.end).map(({ chunkId }) => chunkId);
    return { ...passage, explain: { ...passage.explain, chunks } };
  });
}

/** Passages of one span of one document once, the best of them; nothing else is changed. */
export function distinctPassages(passages: readonly Passage[], topK: number): Passage[] {
  const seen = new Set<string>();
  const distinct: Passage[] = [];
  for (const passage of passages) {
    const key = `${versionOf(passage.chunkId)}\n${passage.start}\n${passage.end}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (distinct.push(passage) === topK) break;
  }
  return distinct;
}

function absorb(home: { passage: Passage }, from: number, to: number): void {
  const { passage } = home;
  const start = Math.min(passage.start, from);
  const end = Math.max(passage.end, to);
  if (start === passage.start && end === passage.end) return;
  const { content: _, ...rest } = passage;
  home.passage = { ...rest, start, end };
}

function joins(passage: Passage, parts: readonly Part[], next: Passage): boolean {
  if (passage.documentId !== next.documentId || versionOf(passage.chunkId) !== versionOf(next.chunkId)) return false;
  const length = Math.max(passage.end, next.end) - Math.min(passage.start, next.start);
  const inside = length === passage.end - passage.start || length === next.end - next.start;
  if (length > LONGEST_PASSAGE && !inside) return false;
  const gap = Math.max(passage.start, next.start) - Math.min(passage.end, next.end);
  if (gap <= 0) return true;
  if (gap > WIDEST_GAP) return false;
  const ordinal = ordinalOf(next.chunkId);
  return parts.some((part) => Math.abs(ordinalOf(part.chunkId) - ordinal) === 1);
}

function partOf({ chunkId, start, end }: Passage): Part {
  return { chunkId, start, end };
}

/** A chunk id ends in `#` and the place of the chunk in its document; what stands before names the version. */
function versionOf(chunkId: string): string {
  return chunkId.slice(0, chunkId.lastIndexOf('#'));
}

function ordinalOf(chunkId: string): number {
  const ordinal = Number(chunkId.slice(chunkId.lastIndexOf('#') + 1));
  return Number.isInteger(ordinal) ? ordinal : Number.NaN;
}
