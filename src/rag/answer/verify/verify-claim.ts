import type { TextAnalyser } from '../../../ports/text-analyser.ts';
import type { Hit } from '../../../spec/document.ts';
import { evidenceFor, type Evidence, type EvidenceDeps, type Support } from './evidence.ts';
import { hasName, namesOf } from './names.ts';
import { clausesOf, isNegated } from './polarity.ts';
import { agrees, quantitiesOf, type Quantity } from './quantities.ts';

/** Why a claim is not borne out. `meaning` alone is undecided: other words may say the same. */
export type Doubt = 'quote' | 'number' | 'date' | 'name' | 'negation' | 'meaning';

export interface ClaimVerdict {
  doubts: readonly Doubt[];
  /** The sentences it rests on; empty where no passage is about it. */
  supports: readonly Support[];
  /** Share of its terms that they have, 0 to 1. */
  covered: number;
}

/** Share of a claim's terms that its evidence must have, and the share that suffices where the meaning is near. */
const ENOUGH = 0.5;
const ENOUGH_WITH_LIKENESS = 0.3;
const NEAR = 0.6;
/** Share from which one clause speaks of what another does. */
const SAME_MATTER = 0.5;
/** Share of the rest from which a word that is not there stands in the place of another. */
const SAME_REST = 0.6;
/** A number may stand in another sentence than the nearest, where that is nearly as near. */
const NEARLY = 0.8;

const QUOTED = /"([^"\n]{4,400})"|“([^”\n]{4,400})”|「([^」\n]{4,400})」|『([^』\n]{4,400})』/g;

/**
 * Holds one claim against the passages that it names: what it quotes stands there word for word, its numbers, dates and
 * names stand where it speaks of them, it denies what they deny, and its words or its meaning are theirs.
 */
export function verifyClaim(claim: string, passages: readonly Hit[], deps: EvidenceDeps): ClaimVerdict {
  const evidence = evidenceFor(claim, passages, deps);
  if (evidence === undefined) return { doubts: ['meaning'], supports: [], covered: 0 };
  const doubts = new Set<Doubt>();
  if (!quotesStand(claim, passages)) doubts.add('quote');
  for (const doubt of quantityDoubts(claim, evidence, deps.analyser)) doubts.add(doubt);
  if (!namesStand(claim, evidence, deps.analyser)) doubts.add('name');
  if (!evidence.foreign && deniesOtherwise(claim, evidence, deps.analyser)) doubts.add('negation');
  if (!isBorneOut(evidence)) doubts.add('meaning');
  return { doubts: [...doubts], supports: evidence.supports, covered: evidence.covered };
}

function isBorneOut({ foreign, covered, likeness }: Evidence): boolean {
  return foreign || covered >= ENOUGH || (covered >= ENOUGH_WITH_LIKENESS && likeness >= NEAR);
}

/** Quotations are the words of the document; white space and width may differ. */
function quotesStand(claim: string, passages: readonly Hit[]): boolean {
  const plain = (text: string): string =>
    text
      .normalize('NFKC')
      .replace(/[\s*_`]+/g, ' ')
      .toLowerCase();
  const sources = passages.map(({ content, title, headingPath }) => plain([title, ...headingPath, content].join('\n')));
  for (const [, ...quotes] of claim.matchAll(QUOTED)) {
    const quote = plain(quotes.find((each) => each !== undefined) ?? '')
      .replace(/[.,。、!?]+$/, '')
      .trim();
    if (!sources.some((source) => source.includes(quote))) return false;
  }
  return true;
}

function quantityDoubts(claim: string, evidence: Evidence, analyser: TextAnalyser): Doubt[] {
  const stated = quantitiesOf(claim);
  if (stated.length === 0) return [];
  const plain = claim.normalize('NFKC');
  const numbers = evidence.supports.map(({ sentence }) => ({
    plain: sentence.text.normalize('NFKC'),
    all: quantitiesOf(sentence.text),
  }));
  const nearness = evidence.supports.map(({ sentence }) => wordsShared(claim, sentence.text, analyser));
  return stated.flatMap((quantity): Doubt[] => {
    const stands = numbers.some(({ plain: there, all }, i) =>
      all.some(
        (known) =>
          agrees(quantity, known) &&
          // The same number of something else is another number.
          (i === 0 ||
            (nearness[i] ?? 0) >= NEARLY * (nearness[0] ?? 0) ||
            speaksOfTheSame({ text: plain, quantity }, { text: there, quantity: known }, analyser)),
      ),
    );
    return stands ? [] : [quantity.kind];
  });
}

/** How many terms without a digit two sentences share. */
function wordsShared(a: string, b: string, analyser: TextAnalyser): number {
  const theirs = new Set(analyser.terms(b));
  return new Set(analyser.terms(a).filter((term) => !/\d/.test(term) && theirs.has(term))).size;
}

interface Placed {
  text: string;
  quantity: Quantity;
}

/** Whether the words right before or right after two numbers meet. */
function speaksOfTheSame(a: Placed, b: Placed, analyser: TextAnalyser): boolean {
  const last = ({ text, quantity }: Placed): string | undefined =>
    analyser.terms(text.slice(Math.max(0, quantity.start - 30), quantity.start)).at(-1);
  const next = ({ text, quantity }: Placed): string | undefined =>
    analyser.terms(text.slice(quantity.end, quantity.end + 30))[0];
  const meet = (one: string | undefined, other: string | undefined): boolean => one !== undefined && one === other;
  return meet(last(a), last(b)) || meet(next(a), next(b));
}

/** Names stand in the sentences of the evidence, in the one before (which pronouns point to), or above them. */
function namesStand(claim: string, evidence: Evidence, analyser: TextAnalyser): boolean {
  const { supports, foreign } = evidence;
  const [first] = supports;
  if (first === undefined) return true;
  const there = supports.map(({ sentence }) => sentence.text);
  const above = [first.passage.title, ...first.passage.headingPath];
  const before = analyser.sentences(first.passage.content)[first.at - 1]?.text ?? '';
  // A sentence that names its own subject does not speak of the one before.
  const said = [...there, ...above, ...(namesOf(first.sentence.text).length === 0 ? [before] : [])].join('\n');
  return namesOf(claim).every(({ text, sure }) => {
    if (hasName(said, text)) return true;
    // Other scripts write names otherwise; identifiers stay what they are.
    if (foreign) return !/[\d_/.]/.test(text) || !/^[\x21-\x7e]+$/.test(text);
    if (sure) return false;
    // An unsure one is missed only where it stands in the place of another word.
    const rest = new Set(analyser.terms(claim.replaceAll(text, ' ')));
    const own = new Set(analyser.terms(there.join('\n')));
    const shared = [...rest].filter((term) => own.has(term)).length;
    return rest.size === 0 || shared / rest.size < SAME_REST || analyser.terms(text).every((term) => own.has(term));
  });
}

/** Whether a clause of the claim affirms what the nearest sentence denies, or the other way round. */
function deniesOtherwise(claim: string, { supports }: Evidence, analyser: TextAnalyser): boolean {
  const [first] = supports;
  if (first === undefined) return false;
  const theirs = clausesOf(first.sentence.text).map((clause) => ({ clause, terms: new Set(analyser.terms(clause)) }));
  return clausesOf(claim).some((clause) => {
    const terms = new Set(analyser.terms(clause));
    if (terms.size < 2) return false;
    let nearest: { clause: string; shared: number } | undefined;
    for (const their of theirs) {
      const shared = [...terms].filter((term) => their.terms.has(term)).length / terms.size;
      if (shared >= SAME_MATTER && shared > (nearest?.shared ?? 0)) nearest = { clause: their.clause, shared };
    }
    return nearest !== undefined && isNegated(nearest.clause) !== isNegated(clause);
  });
}
