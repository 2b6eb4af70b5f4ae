import type { StaticTextEncoder, TextAnalyser } from '../../ports/text-analyser.ts';
import type { PassageInput } from '../../spec/chat.ts';
import { answerCue } from './answer-cues.ts';
import type { Candidate } from './candidates.ts';
import { headingMatches } from './heading-match.ts';
import type { Question } from './question.ts';

/** How much of what a heading says its sentences need not repeat. */
const SAID_BY_HEADING = 0.7;

/** What speaks for a sentence; each between -1 and 4, most between 0 and 1. */
export interface Evidence {
  /** Share of the question's weight that the sentence repeats, or its heading for it. */
  sentence: number;
  /** The same for the sentence before, the one after, and the title: what pronouns point to. */
  before: number;
  after: number;
  /** The same for its whole passage with its title. */
  passage: number;
  /** Share of neighbouring question terms that stand next to each other in the sentence too. */
  order: number;
  /** How well the heading above it asks the question, fading from its first sentence on; 0 where there is no heading. */
  heading: number;
  cue: number;
  /** -1 where the sentence lacks a number or name with digits that is asked about, -0.75 where only its surroundings have it. */
  exact: number;
  /** 1 for a row of a table. */
  row: number;
  /** 1 for the first passage, then falling: retrieval has an opinion too. */
  rank: number;
  /** Cosine of question and sentence, 0 without an encoder. */
  dense: number;
  /** Cosine of question and passage, 0 without an encoder. */
  passageDense: number;
}

export interface Scored {
  candidate: Candidate;
  evidence: Evidence;
}

export interface ScoreDeps {
  analyser: TextAnalyser;
  encoder?: StaticTextEncoder;
}

/** The evidence for every candidate, in their order. */
export function scoreSentences(
  deps: ScoreDeps,
  question: Question,
  passages: readonly PassageInput[],
  candidates: readonly Candidate[],
): Scored[] {
  const sequence = deps.analyser.terms(question.topic);
  const asked = new Set(sequence);
  const weights = termWeights(asked, candidates);
  const total = sum(weights.values());
  const share = (has: (term: string) => number): number => {
    if (total === 0) return 0;
    let matched = 0;
    for (const [term, weight] of weights) matched += weight * has(term);
    return matched / total;
  };
  const pairs = neighbours(sequence);

  const titleTerms = passages.map(
    (passage) => new Set(deps.analyser.terms([passage.title ?? '', ...(passage.headings ?? [])].join('\n'))),
  );
  const passageTerms = titleTerms.map((terms) => new Set(terms));
  for (const candidate of candidates) {
    const terms = passageTerms[candidate.passage];
    for (const term of candidate.termCounts.keys()) if (asked.has(term)) terms?.add(term);
  }
  const passageShare = passageTerms.map((terms) => share((term) => (terms.has(term) ? 1 : 0)));
  const own = candidates.map((candidate, index) => {
    const label = labelOf(candidates, index);
    return share((term) => saturated((candidate.termCounts.get(term) ?? 0) + (label?.termCounts.get(term) ?? 0)));
  });
  const headings = headingMatches(deps.analyser, weights, candidates);
  const questionVector = deps.encoder?.encode(question.text);
  const passageDense = passages.map((passage) =>
    deps.encoder === undefined || questionVector === undefined
      ? 0
      : dot(questionVector, deps.encoder.encode(passage.content.slice(0, 8_000))),
  );

  return candidates.map((candidate, index) => {
    const neighbour = (offset: number): number =>
      candidates[index + offset]?.passage === candidate.passage ? (own[index + offset] ?? 0) : 0;
    const cue = answerCue(question, candidate.text);
    // A heading that names a thing does not make of each sentence under it what the thing is.
    const isOfHeading = question.kind !== 'definition' || cue > 0 ? 1 : 0.5;
    const { asks = 0, faded = 0 } = headings[index] ?? {};
    const evidence: Evidence = {
      sentence: Math.max(own[index] ?? 0, SAID_BY_HEADING * asks * isOfHeading),
      before: isHeading(candidates[index - 1]) ? 0 : neighbour(-1),
      after: neighbour(1),
      passage: passageShare[candidate.passage] ?? 0,
      order: orderOf(pairs, candidate),
      heading: faded * isOfHeading,
      cue,
      exact: exactOf(question, { candidate, label: labelOf(candidates, index) }, passages),
      row: candidate.isRow ? 1 : 0,
      rank: 1 / (1 + candidate.passage),
      dense:
        questionVector === undefined || deps.encoder === undefined
          ? 0
          : dot(questionVector, deps.encoder.encode(candidate.text)),
      passageDense: passageDense[candidate.passage] ?? 0,
    };
    return { candidate, evidence };
  });
}

/** The line that says what a sentence is about: what it says counts as if the sentence said it. */
function labelOf(candidates: readonly Candidate[], index: number): Candidate | undefined {
  const before = candidates[index - 1];
  return before?.isLabel === true && before.passage === candidates[index]?.passage ? before : undefined;
}

/** What a heading says counts as the heading of its section. */
function isHeading(candidate: Candidate | undefined): boolean {
  return candidate?.isHeading === true;
}

function exactOf(
  { exact }: Question,
  { candidate, label }: { candidate: Candidate; label: Candidate | undefined },
  passages: readonly PassageInput[],
): number {
  if (exact.length === 0) return 0;
  const has = (text: string): boolean => exact.every((name) => text.normalize('NFKC').toLowerCase().includes(name));
  if (has(`${label?.text ?? ''}\n${candidate.text}`)) return 0;
  const passage = passages[candidate.passage];
  if (passage === undefined) return -1;
  const around = passage.content.slice(Math.max(0, candidate.start - 200), candidate.end + 200);
  return has(`${passage.title ?? ''}\n${around}`) ? -0.75 : -1;
}

/** Rarer terms among the candidates weigh more, as do longer ones: single characters say little. */
function termWeights(asked: ReadonlySet<string>, candidates: readonly Candidate[]): Map<string, number> {
  const weights = new Map<string, number>();
  for (const term of asked) {
    let found = 0;
    for (const candidate of candidates) if (candidate.termCounts.has(term)) found++;
    const rarity = Math.log(1 + (candidates.length - found + 0.5) / (found + 0.5));
    weights.set(term, rarity * (term.length === 1 ? 0.4 : term.length === 2 ? 0.8 : 1));
  }
  return weights;
}

/** BM25's saturation of a term's count, scaled so that one occurrence counts most of what many do. */
function saturated(count: number): number {
  return count === 0 ? 0 : Math.min(1, (count * 1.8) / (count + 0.8));
}

function neighbours(sequence: readonly string[]): Set<string> {
  const pairs = new Set<string>();
  for (let i = 1; i < sequence.length; i++) pairs.add(`${sequence[i - 1]} ${sequence[i]}`);
  return pairs;
}

function orderOf(pairs: ReadonlySet<string>, candidate: Candidate): number {
  if (pairs.size === 0) return 0;
  const found = neighbours(candidate.terms);
  let shared = 0;
  for (const pair of pairs) if (found.has(pair)) shared++;
  return shared / pairs.size;
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] ?? 0) * (b[i] ?? 0);
  return total;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
