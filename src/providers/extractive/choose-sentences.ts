import type { TextAnalyser } from '../../ports/text-analyser.ts';
import type { PassageInput } from '../../spec/chat.ts';
import type { Candidate } from './candidates.ts';
import { candidatesOf } from './candidates.ts';
import { readQuestion } from './question.ts';
import type { Evidence, ScoreDeps, Scored } from './score-sentences.ts';
import { scoreSentences } from './score-sentences.ts';

type Language = ReturnType<TextAnalyser['language']>;

const MOST_SENTENCES = 3;
/** A further sentence may score this much below the best. */
const MARGIN = 1.2;
/** Share of common terms from which two sentences say the same. */
const SAME = 0.6;
/** From this likeness to the question on, the section under a heading is the answer, and nothing from elsewhere. */
const ASKED_HEADING = 0.6;

/** The sets have no headings: these two were chosen by hand with all questions to the handbook, so nothing unseen judges them. */
const HEADING = 4;
const HEADING_CONFIDENCE = 3;

/**
 * Weights of the evidence for which of five passages' sentences holds the answer: a softmax regression on every second
 * question of the sets in bench/answers, which measures the other half. They are
 * linear on purpose: a reader can see why a sentence was taken.
 */
const ORDERING: Partial<Evidence> = {
  sentence: 4.6,
  before: 1.0,
  after: 0.6,
  passage: 3.1,
  order: 0.5,
  heading: HEADING,
  cue: 0.8,
  exact: 1.5,
  row: -1,
  rank: 1.7,
  dense: 3.2,
  passageDense: 1.1,
};
const ORDERING_LEXICAL: Partial<Evidence> = {
  sentence: 5.7,
  before: 1.1,
  after: 0.7,
  passage: 2.9,
  order: 1.2,
  heading: HEADING,
  cue: 0.8,
  exact: 1.5,
  row: -1,
  rank: 2.1,
};
/** Log-odds that the passages answer the question at all, from the evidence of the best sentence. */
const CONFIDENCE: Partial<Evidence> = {
  sentence: 4.5,
  before: 1.3,
  after: 1.3,
  passage: 5.3,
  order: 0.9,
  heading: HEADING_CONFIDENCE,
  rank: 1.7,
  dense: 4.2,
  passageDense: 1.9,
};
const CONFIDENCE_LEXICAL: Partial<Evidence> = {
  sentence: 3.9,
  before: 2.3,
  after: 2.8,
  passage: 6.1,
  order: 3.3,
  heading: HEADING_CONFIDENCE,
  rank: 2.1,
};
const CONFIDENCE_BIAS = -8.6;
const CONFIDENCE_LEXICAL_BIAS = -7.3;
/** Below these odds the provider says that the documents do not answer. */
const LEAST_CONFIDENCE = -0.75;

/** Between languages words rarely meet, so likeness of meaning decides; unrelated texts stay below 0.3. */
const CROSS_ORDERING: Partial<Evidence> = {
  dense: 8,
  passageDense: 3,
  sentence: 3,
  rank: 1,
  cue: 0.4,
  exact: 1.5,
  row: -1,
};
const CROSS_LEAST_DENSE = 0.36;
const CROSS_DENSE_SLOPE = 10;
const CROSS_WORD_SLOPE = 2;

/** The sentences to answer with, best first; none where the passages do not answer. */
export function chooseSentences(deps: ScoreDeps, questionText: string, passages: readonly PassageInput[]): Candidate[] {
  const question = readQuestion(questionText);
  const candidates = candidatesOf(passages, deps.analyser);
  const scored = scoreSentences(deps, question, passages, candidates).filter(({ candidate }) => candidate.eligible);
  const language = deps.analyser.language(questionText);
  const foreign = passages.map(({ content }) => isForeign(deps.analyser.language(content), language));
  // A Japanese manual is full of names and quotations in Latin letters: its sentences are Japanese all the same.
  const isOwn = ({ candidate }: Scored): boolean =>
    foreign[candidate.passage] !== true || deps.analyser.language(candidate.text) === language;
  const own = scored.filter(isOwn);
  const lexicalOnly = deps.encoder === undefined;
  const ownAnswer = choose(own, {
    ordering: lexicalOnly ? ORDERING_LEXICAL : ORDERING,
    confidence: (evidence) =>
      lexicalOnly
        ? CONFIDENCE_LEXICAL_BIAS + weigh(evidence, CONFIDENCE_LEXICAL)
        : CONFIDENCE_BIAS + weigh(evidence, CONFIDENCE),
  });
  if (ownAnswer.length > 0) return ownAnswer;
  return choose(
    scored.filter((one) => !isOwn(one)),
    { ordering: CROSS_ORDERING, confidence: crossConfidence },
  );
}

interface Scheme {
  ordering: Partial<Evidence>;
  confidence: (evidence: Evidence) => number;
}

function choose(scored: readonly Scored[], scheme: Scheme): Candidate[] {
  const ranked = scored
    .map(({ candidate, evidence }) => ({ candidate, evidence, score: weigh(evidence, scheme.ordering) }))
    .toSorted((a, b) => b.score - a.score);
  const best = ranked[0];
  if (best === undefined || scheme.confidence(best.evidence) < LEAST_CONFIDENCE) return [];
  const chosen: Candidate[] = [];
  const isAsked = best.evidence.heading >= ASKED_HEADING;
  for (const { candidate, evidence, score } of ranked) {
    if (chosen.length >= MOST_SENTENCES || score < best.score - MARGIN) break;
    if (scheme.confidence(evidence) < LEAST_CONFIDENCE) continue;
    if (isAsked && !isSameSection(best.candidate, candidate)) continue;
    if (!chosen.some((other) => saysTheSame(other, candidate))) chosen.push(candidate);
  }
  return chosen;
}

function crossConfidence({ dense, passageDense, sentence }: Evidence): number {
  const likeness = Math.max(dense, 0.9 * passageDense) - CROSS_LEAST_DENSE;
  return LEAST_CONFIDENCE + CROSS_DENSE_SLOPE * likeness + CROSS_WORD_SLOPE * sentence;
}

function weigh(evidence: Evidence, weights: Partial<Evidence>): number {
  const { sentence, before, after, passage, order, heading, cue, exact, row, rank, dense, passageDense } = evidence;
  const product = (value: number, weight: number | undefined): number => value * (weight ?? 0);
  return (
    product(sentence, weights.sentence) +
    product(before, weights.before) +
    product(after, weights.after) +
    product(passage, weights.passage) +
    product(order, weights.order) +
    product(heading, weights.heading) +
    product(cue, weights.cue) +
    product(exact, weights.exact) +
    product(row, weights.row) +
    product(rank, weights.rank) +
    product(dense, weights.dense) +
    product(passageDense, weights.passageDense)
  );
}

function isForeign(passage: Language, question: Language): boolean {
  return passage !== 'other' && question !== 'other' && passage !== question;
}

function isSameSection(a: Candidate, b: Candidate): boolean {
  return a.passage === b.passage && a.section?.number === b.section?.number;
}

function saysTheSame(a: Candidate, b: Candidate): boolean {
  let shared = 0;
  for (const term of a.termCounts.keys()) if (b.termCounts.has(term)) shared++;
  return shared / Math.max(1, Math.min(a.termCounts.size, b.termCounts.size)) >= SAME;
}
