import type { Citation } from '../../../spec/citation.ts';
import type { Hit } from '../../../spec/document.ts';
import { citingSentences, inDocument } from '../cite.ts';
import { verifyClaim } from './verify-claim.ts';
import { plainText, verifySentence, type VerifiedSentence, type VerifyDeps } from './verify-sentence.ts';

/**
 * The sentences of an answer that state something, each held against the passages that it names.
 * @param quoted what a quoting model says that it rests on, in the coordinates of documents
 */
export async function verifyAnswer(
  answer: string,
  passages: readonly Hit[],
  { quoted, ...deps }: VerifyDeps & { quoted?: readonly Citation[] },
): Promise<VerifiedSentence[]> {
  const verified: VerifiedSentence[] = [];
  for (const sentence of citingSentences(answer, deps.analyser)) {
    const own = quoted?.filter((one) => overlaps(one, sentence)) ?? [];
    const found =
      own.length > 0
        ? heldAgainst(sentence, own, { ...deps, passages })
        : await verifySentence(sentence, passages, deps);
    if (found !== undefined) verified.push(found);
  }
  return verified;
}

/** A sentence with the citations that its model gave: the words of one of them, or a claim about their passages. */
function heldAgainst(
  sentence: { start: number; end: number; text: string },
  citations: readonly Citation[],
  { passages, ...deps }: VerifyDeps & { passages: readonly Hit[] },
): VerifiedSentence {
  const { start, end } = sentence;
  const claim = plainText(sentence.text);
  const word = (text: string): string => plainText(text).replaceAll(/\s+/g, ' ');
  const isQuoted = citations.some((one) => word(one.sentence).includes(word(claim)));
  const cited = passages.filter((hit) =>
    citations.some((one) => one.document_id === hit.documentId && one.start >= hit.start && one.end <= hit.end),
  );
  const { doubts, supports } = isQuoted ? { doubts: [], supports: [] } : verifyClaim(claim, cited, deps);
  // Who tells the document but not the place is shown the place.
  const spans = supports.map(({ passage, sentence: span }) => ({
    ...inDocument(passage, span.start, span.end),
    answer_start: start,
    answer_end: end,
  }));
  return {
    start,
    end,
    verdict: doubts.length === 0 ? 'supported' : 'unsupported',
    reasons: doubts,
    citations: !isQuoted && doubts.length === 0 ? spans : citations,
    named: citations.length,
    held: doubts.length === 0 ? citations.length : 0,
  };
}

function overlaps({ answer_start, answer_end }: Citation, { start, end }: { start: number; end: number }): boolean {
  return answer_start !== undefined && answer_end !== undefined && answer_start < end && answer_end > start;
}
