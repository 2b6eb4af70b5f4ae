import type { Sentence, StaticTextEncoder, TextAnalyser } from '../../../ports/text-analyser.ts';
import type { Hit } from '../../../spec/document.ts';

export interface EvidenceDeps {
  analyser: TextAnalyser;
  /** Finds what supports a claim of another language; without it such claims find nothing. */
  encoder?: StaticTextEncoder;
}

/** A sentence of a passage beside a claim. */
export interface Support {
  passage: Hit;
  sentence: Sentence;
  /** Where it stands among the sentences of its passage. */
  at: number;
  /** Share of the claim's terms that it has, 0 to 1. */
  shared: number;
  terms: ReadonlySet<string>;
}

/** What passages have to say about a claim. */
export interface Evidence {
  /** The sentence nearest to the claim first, then those that say more of it. */
  supports: readonly Support[];
  /** Share of the claim's terms in all of them, titles and headings included. */
  covered: number;
  /** Cosine of the claim and the nearest sentence; 0 without an encoder. */
  likeness: number;
  /** The claim is in one language and its evidence in another: words do not meet. */
  foreign: boolean;
}

/** Sentences that are read together for one claim: an answer may sum up that many. */
const MOST_SUPPORTS = 3;
/** Sentences of a passage that are looked at. */
const MOST_SENTENCES = 400;
/** What a further sentence must add. */
const LEAST_GAIN = 0.12;
/** A sentence that shares less than this with a claim is not about it, unless it means the same. */
const LEAST_SHARED = 0.2;
/** Between languages: a translation reaches it (its median is 0.8), and chance does not. */
const LEAST_LIKENESS = 0.45;

/** The sentences of the passages that bear a claim out, as far as any do; undefined where none is about it. */
export function evidenceFor(claim: string, passages: readonly Hit[], deps: EvidenceDeps): Evidence | undefined {
  const { analyser, encoder } = deps;
  const wanted = new Set(analyser.terms(claim));
  if (wanted.size === 0) return undefined;
  const language = analyser.language(claim);
  let vector: Float32Array | undefined;
  const likenessOf = (text: string): number => {
    if (encoder === undefined) return 0;
    vector ??= encoder.encode(claim);
    return dot(vector, encoder.encode(text));
  };

  const candidates = passages.flatMap((passage) => supportsIn(passage, wanted, analyser));
  const chosen = cover(candidates, wanted, (passage) => around(passage, analyser));
  const first = chosen.supports[0];
  if (first !== undefined && first.shared >= LEAST_SHARED) {
    return { ...chosen, likeness: likenessOf(first.sentence.text), foreign: false };
  }

  // Words do not meet: another language, or other words for the same.
  if (encoder === undefined) return undefined;
  let nearest: { support: Support; likeness: number } | undefined;
  const foreign = new Set(passages.filter(({ content }) => analyser.language(content) !== language));
  for (const support of candidates) {
    if (!foreign.has(support.passage)) continue;
    const likeness = likenessOf(support.sentence.text);
    if (likeness >= LEAST_LIKENESS && likeness > (nearest?.likeness ?? 0)) nearest = { support, likeness };
  }
  if (nearest === undefined) return undefined;
  const { support, likeness } = nearest;
  return { supports: [support], covered: support.shared, likeness, foreign: true };
}

function supportsIn(passage: Hit, wanted: ReadonlySet<string>, analyser: TextAnalyser): Support[] {
  return analyser
    .sentences(passage.content)
    .slice(0, MOST_SENTENCES)
    .map((sentence, at) => {
      const terms = new Set(analyser.terms(sentence.text));
      return { passage, sentence, at, terms, shared: share(wanted, (term) => terms.has(term)) };
    });
}

/** The nearest sentence, and those that add most to it, greedily. */
function cover(
  candidates: readonly Support[],
  wanted: ReadonlySet<string>,
  contextOf: (passage: Hit) => ReadonlySet<string>,
): { supports: Support[]; covered: number } {
  const supports: Support[] = [];
  const has = (term: string): boolean => supports.some(({ terms }) => terms.has(term));
  while (supports.length < MOST_SUPPORTS) {
    let next: { support: Support; gain: number } | undefined;
    for (const support of candidates) {
      const gain = share(wanted, (term) => support.terms.has(term) && !has(term));
      if (gain > (next?.gain ?? (supports.length === 0 ? 0 : LEAST_GAIN))) next = { support, gain };
    }
    if (next === undefined) break;
    supports.push(next.support);
  }
  const contexts = [...new Set(supports.map(({ passage }) => passage))].map(contextOf);
  const covered = share(wanted, (term) => has(term) || contexts.some((context) => context.has(term)));
  return { supports, covered };
}

/** What is said of a passage by where it stands. */
function around(passage: Hit, analyser: TextAnalyser): ReadonlySet<string> {
  return new Set(analyser.terms([passage.title, ...passage.headingPath].join('\n')));
}

function share(wanted: ReadonlySet<string>, has: (term: string) => boolean): number {
  let found = 0;
  for (const term of wanted) if (has(term)) found++;
  return found / wanted.size;
}

function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i] ?? 0) * (b[i] ?? 0);
  return total;
}
