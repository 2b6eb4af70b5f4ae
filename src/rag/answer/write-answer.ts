import type { Citation } from '../../spec/citation.ts';
import type { Hit } from '../../spec/document.ts';
import { citingSentences, located } from './cite.ts';
import { watchForCanary } from './guard/canary.ts';
import { createLinkGuard } from './guard/link-guard.ts';
import { verifyAnswer } from './verify/verify-answer.ts';
import type { Verdict, Reason, VerifiedSentence, VerifyDeps } from './verify/verify-sentence.ts';

/** A sentence of an answer as a caller is told of it. */
export interface SentenceVerdict {
  start: number;
  end: number;
  verdict: Verdict;
  reasons: readonly Reason[];
  /** Places in the list of citations. */
  citations: readonly number[];
}

/** What became of the sentences of an answer. */
export interface Verification {
  policy: 'flag' | 'withhold' | 'off';
  sentences: readonly SentenceVerdict[];
  /** Sentences that were left out. */
  withheld: number;
  /** Share of the sources that the model named which bear their sentence out; null where it named none. */
  precision: number | null;
  /** Share of the sentences that state something which are supported; null where none does. */
  coverage: number | null;
}

export interface WrittenAnswer {
  text: string;
  citations: Citation[];
  verification: Verification;
}

export interface AnswerWriterDeps extends VerifyDeps {
  passages: readonly Hit[];
  policy: Verification['policy'];
  canary: string;
  /** Addresses that stay links: those that the caller wrote. */
  isAllowed: (address: string) => boolean;
}

/** An answer on its way from the model to the caller. */
export interface AnswerWriter {
  /** @returns what may go out now. @throws SekishoError answer_withheld. */
  push(text: string): Promise<string>;
  /** @param quoted what a quoting model rests on, in passages and in the text as it came. @returns the rest to go out. */
  end(quoted: readonly Citation[] | undefined): Promise<{ rest: string; answer: WrittenAnswer }>;
}

/**
 * Lets an answer out piece by piece: nothing that shows the instructions, no address that works, and where sentences
 * without support are withheld, no sentence before it is judged.
 * @param quotes the model tells its spans at the end, so that nothing can be judged before
 */
export function createAnswerWriter(deps: AnswerWriterDeps, { quotes }: { quotes: boolean }): AnswerWriter {
  const { policy, passages } = deps;
  const canary = watchForCanary(deps.canary);
  const links = createLinkGuard({ isAllowed: deps.isAllowed });
  const judged: VerifiedSentence[] = [];
  /** What has gone out, and what waits for its judgement. */
  let text = '';
  let waiting = '';
  let withheld = 0;
  /** Sources that those name which are left out. */
  let lost = 0;

  function release(piece: string): string {
    text += piece;
    return piece;
  }

  /** Judges what waits; the last sentence only at the end, because a number may follow it. */
  async function judge(until: number, quoted?: readonly Citation[]): Promise<string> {
    const head = waiting.slice(0, until);
    const verified = await verifyAnswer(head, passages, { ...deps, ...(quoted !== undefined && { quoted }) });
    let out = '';
    let from = 0;
    let gap = '';
    for (const sentence of citingSentences(head, deps.analyser)) {
      const before = gap + head.slice(from, sentence.start);
      from = sentence.end;
      const found = verified.find(({ start }) => start === sentence.start);
      if (found !== undefined && found.verdict !== 'supported') {
        withheld++;
        lost += found.named;
        // What stood between paragraphs stays between them.
        gap = before.includes('\n') ? before.slice(0, before.lastIndexOf('\n') + 1) : gap;
        continue;
      }
      gap = '';
      const lead = text === '' && out === '' ? before.trimStart() : before;
      out += lead;
      if (found !== undefined) judged.push(moved(found, text.length + out.length - found.start));
      out += sentence.text;
    }
    waiting = head.slice(from) + waiting.slice(until);
    return release(out);
  }

  return {
    push: async (piece) => {
      const safe = links.push(canary.push(piece));
      if (policy !== 'withhold') return release(safe);
      waiting += safe;
      if (quotes) return '';
      const last = citingSentences(waiting, deps.analyser).at(-1);
      // What may become a number belongs to the sentence before it.
      const begun = last?.text.replace(/^(?:\s*\[\d{1,3}\])*\s*(?:\[\d{0,3})?$/, '') ?? '';
      return last === undefined || last.start === 0 || begun === '' ? '' : judge(last.start);
    },

    end: async (quoted) => {
      const safe = links.push(canary.end()) + links.end();
      const inText = quoted && located(quoted, passages).map((one) => inAnswer(one, links.moved));
      if (policy === 'withhold') {
        waiting += safe;
        const rest = await judge(waiting.length, inText);
        return { rest, answer: assemble(text, judged, { policy, withheld, lost }) };
      }
      const rest = release(safe);
      const verified = await verifyAnswer(text, passages, { ...deps, ...(inText && { quoted: inText }) });
      return { rest, answer: assemble(text, verified, { policy, withheld, lost }, inText) };
    },
  };
}

function assemble(
  text: string,
  verified: readonly VerifiedSentence[],
  { policy, withheld, lost }: Pick<Verification, 'policy' | 'withheld'> & { lost: number },
  quoted: readonly Citation[] = [],
): WrittenAnswer {
  const citations: Citation[] = [];
  const placeOf = (citation: Citation): number => {
    const known = citations.findIndex((one) => isSame(one, citation));
    return known >= 0 ? known : citations.push(citation) - 1;
  };
  const sentences = verified.map(({ start, end, verdict, reasons, citations: own }) => ({
    start,
    end,
    verdict,
    reasons,
    citations: [...new Set(own.map(placeOf))],
  }));
  // What a model quotes beside its sentences is a source all the same.
  for (const citation of quoted) if (citation.answer_start === undefined) placeOf(citation);
  const named = verified.reduce((sum, each) => sum + each.named, lost);
  const held = verified.reduce((sum, each) => sum + Math.min(each.held, each.named), 0);
  const supported = verified.filter(({ verdict }) => verdict === 'supported').length;
  return {
    text,
    citations,
    verification: {
      policy,
      sentences: policy === 'off' ? [] : sentences,
      withheld,
      precision: named === 0 ? null : held / named,
      coverage: verified.length + withheld === 0 ? null : supported / (verified.length + withheld),
    },
  };
}

function isSame(a: Citation, b: Citation): boolean {
  return (
    a.document_id === b.document_id &&
    a.start === b.start &&
    a.end === b.end &&
    a.answer_start === b.answer_start &&
    a.answer_end === b.answer_end
  );
}

function moved(sentence: VerifiedSentence, by: number): VerifiedSentence {
  return {
    ...sentence,
    start: sentence.start + by,
    end: sentence.end + by,
    citations: sentence.citations.map((one) => inAnswer(one, (offset) => offset + by)),
  };
}

function inAnswer(citation: Citation, place: (offset: number) => number): Citation {
  const { answer_start: start, answer_end: end } = citation;
  if (start === undefined || end === undefined) return citation;
  return { ...citation, answer_start: place(start), answer_end: place(end) };
}
