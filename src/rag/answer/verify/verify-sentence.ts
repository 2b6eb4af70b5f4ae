import type { Sentence } from '../../../ports/text-analyser.ts';
import type { Citation } from '../../../spec/citation.ts';
import type { Hit } from '../../../spec/document.ts';
import { inDocument, MARKER } from '../cite.ts';
import type { EvidenceDeps, Support } from './evidence.ts';
import type { Judge } from './judge.ts';
import { verifyClaim, type ClaimVerdict, type Doubt } from './verify-claim.ts';

export type Verdict = 'supported' | 'unsupported' | 'uncited';

/** Why a sentence is not supported: what does not stand in its source, or a number that no passage has. */
export type Reason = Doubt | 'no_passage';

/** A sentence of an answer, looked at. */
export interface VerifiedSentence {
  /** UTF-16 offsets into the answer. */
  start: number;
  end: number;
  verdict: Verdict;
  reasons: readonly Reason[];
  citations: readonly Citation[];
  /** Passages that the sentence names, and how many of those bear it out. */
  named: number;
  held: number;
}

export interface VerifyDeps extends EvidenceDeps {
  /** Decides what words alone cannot. */
  judge?: Judge;
}

/** Share of its terms from which a sentence that names no source is given the one it rests on. */
const PLAIN_TO_SEE = 0.8;
/** Where words do not decide, a sentence is shown beside the one that it shares so much with. */
const LEAST_SHOWN = 0.3;

const NOT_SAID = [
  /\b(?:documents?|passages?|sources?|context|information)\b.{0,40}\b(?:do(?:es)? not|don['’]t|doesn['’]t|no|not)\b.{0,30}\b(?:answer|say|contain|mention|provide|include|state|information|found)/i,
  /(?:文書|文章|引用文|資料|情報|記述|記載|答え).{0,40}(?:ありません|見つかりません|含まれて(?:い)?ません|ない|書かれていません|述べられていません|なかった)/,
];

/**
 * Holds a sentence of an answer against the passages that it names by number.
 * @returns undefined for what states nothing: a question, a heading, words that lead to a list, and the word that
 *   the documents do not say.
 */
export async function verifySentence(
  sentence: Sentence,
  passages: readonly Hit[],
  deps: VerifyDeps,
): Promise<VerifiedSentence | undefined> {
  const claim = plainText(sentence.text.replace(MARKER, ''));
  const numbers = [...new Set([...sentence.text.matchAll(MARKER)].map((match) => Number(match[1])))];
  if (numbers.length === 0 && statesNothing(claim)) return undefined;
  if (deps.analyser.terms(claim).length === 0) return undefined;
  const named = numbers.flatMap((number) => passages[number - 1] ?? []);
  const { start, end } = sentence;
  const cite = (supports: readonly Support[]): Citation[] =>
    distinct(
      supports.map(({ passage, sentence: span }) => ({
        ...inDocument(passage, span.start, span.end),
        answer_start: start,
        answer_end: end,
      })),
    );

  if (numbers.length === 0) {
    const verdict = verifyClaim(claim, passages, deps);
    const found = verdict.doubts.length === 0 && verdict.covered >= PLAIN_TO_SEE;
    return found
      ? { start, end, verdict: 'supported', reasons: [], citations: cite(verdict.supports), named: 0, held: 0 }
      : { start, end, verdict: 'uncited', reasons: [], citations: [], named: 0, held: 0 };
  }
  if (named.length === 0) {
    return {
      start,
      end,
      verdict: 'unsupported',
      reasons: ['no_passage'],
      citations: [],
      named: numbers.length,
      held: 0,
    };
  }

  const verdict = verifyClaim(claim, named, deps);
  const supported = verdict.doubts.length === 0 || (await judged(claim, named, verdict, deps));
  const used = new Set(verdict.supports.map(({ passage }) => passage));
  // Of several sources that say the same each is shown.
  const others = supported
    ? named.filter((passage) => !used.has(passage)).map((passage) => verifyClaim(claim, [passage], deps))
    : [];
  const agreeing = others.filter(({ doubts }) => doubts.length === 0).flatMap(({ supports }) => supports.slice(0, 1));
  const shown = supported || (isUndecided(verdict) && verdict.covered >= LEAST_SHOWN);
  const citations = shown ? cite([...verdict.supports, ...agreeing]) : [];
  return {
    start,
    end,
    verdict: supported ? 'supported' : 'unsupported',
    reasons: supported ? [] : verdict.doubts,
    citations,
    named: numbers.length,
    held: supported ? new Set([...used, ...agreeing.map(({ passage }) => passage)]).size : 0,
  };
}

/** A sentence without the marks of Markdown that change how it looks and not what it says. */
export function plainText(text: string): string {
  return text
    .replace(/\[([^\][]*)\]\([^()\s]*\)/g, '$1')
    .replace(/(\*\*|__|`+)/g, '')
    .replace(/(?<![\p{L}\d*])\*(?=\S)|(?<=\S)\*(?![\p{L}\d*])/gu, '')
    .trim();
}

function statesNothing(claim: string): boolean {
  return (
    /[?？]["'”’」』)）]*$/.test(claim) ||
    /[:：]$/.test(claim) ||
    NOT_SAID.some((pattern) => pattern.test(claim)) ||
    (!/[.!。！｡]["'”’」』)）]*$/.test(claim) && claim.length < 20)
  );
}

function isUndecided({ doubts }: ClaimVerdict): boolean {
  return doubts.length === 1 && doubts[0] === 'meaning';
}

async function judged(claim: string, named: readonly Hit[], verdict: ClaimVerdict, deps: VerifyDeps): Promise<boolean> {
  if (deps.judge === undefined || !isUndecided(verdict)) return false;
  return deps.judge(claim, named);
}

function distinct(citations: readonly Citation[]): Citation[] {
  const seen = new Map(citations.map((one) => [`${one.document_id}\n${one.start}\n${one.end}`, one] as const));
  return [...seen.values()];
}
