import { isJsonObject, parseJson, type JsonValue } from '../../../lib/json.ts';
import type { Message } from '../../../spec/chat.ts';
import type { RewriteSettings } from '../../../spec/collection.ts';
import { condenseQuestion, withPrevious } from '../condense-question.ts';
import { askWriter, QUOTING, type Rewriting, type WriterDeps } from './ask-writer.ts';

/** What became of one way of rewriting; `queries` is what it made. */
export interface RewriteStep {
  kind: 'condense' | 'queries' | 'hyde' | 'sub_queries';
  outcome: 'done' | 'failed' | 'no_model';
  queries: readonly string[];
}

/** What is searched for in place of a question. */
export interface Rewritten {
  /** The question, standing by itself. */
  query: string;
  /** Searched beside it, each with its weight against the question's 1. */
  queries: readonly { text: string; weight: number }[];
  /** A passage that would answer it: for its meaning alone. */
  hyde?: string;
  steps: readonly RewriteStep[];
}

/** Parts of a question count as much as the question nearly; other wordings may miss it. */
const WORDING_WEIGHT = 0.5;
const PART_WEIGHT = 0.7;
const MOST_PARTS = 4;
const MOST_WORDINGS = 5;
const LONGEST_QUERY = 500;
const LONGEST_PASSAGE = 2_000;

const WORDINGS = (count: number): string =>
  `Write ${count} other wordings of the question, as somebody would search for it in documents: other words for the
same things, in the same language. Answer with JSON alone: {"queries": ["...", "..."]}.`;
const PASSAGE = `Write one short paragraph, as it could stand in a document, that answers the question. Guess what you do not know.
Write in the language of the question. Answer with the paragraph alone.`;
const PARTS = `Take the question apart where one search cannot find its answer: a comparison into one question for each thing,
a list into one for each item, a course of events into one for each time. Keep its language.
Answer with JSON alone: {"type": "comparison" | "list" | "temporal" | "multi_step" | "single", "queries": ["...", "..."]}.
For "single" the queries are empty.`;
const TYPES: ReadonlySet<unknown> = new Set(['comparison', 'list', 'temporal', 'multi_step']);

/**
 * Makes of a question what is searched for: first it is made to stand alone, then other wordings, an imagined answer
 * and its parts are asked for at once. What fails or makes no sense is left out and told: the question is always there.
 * Rejects only where whoever asked has left.
 */
export async function rewriteQuestion(
  deps: WriterDeps,
  { question, history, settings }: { question: string; history: readonly Message[]; settings: RewriteSettings },
  rewriting: Rewriting,
): Promise<Rewritten> {
  const steps: RewriteStep[] = [];
  const { signal } = rewriting.origin;
  let query = question;
  if (settings.condense && history.some(({ role }) => role !== 'system')) {
    const outcome = rewriting.route === QUOTING ? 'no_model' : 'done';
    try {
      query = await condenseQuestion(deps, { question, history }, rewriting);
      steps.push({ kind: 'condense', outcome, queries: [query] });
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      query = withPrevious(question, history);
      steps.push({ kind: 'condense', outcome: 'failed', queries: [query] });
    }
  }

  /** One step: what the model says, read; nothing of it is let through that does not read. */
  const step = async <T>(
    kind: RewriteStep['kind'],
    ask: { instruction: string; maxOutputTokens: number },
    read: (said: string) => { made: T; queries: readonly string[] } | undefined,
  ): Promise<T | undefined> => {
    try {
      const said = await askWriter(deps, rewriting, { ...ask, text: query });
      if (said === undefined) {
        steps.push({ kind, outcome: 'no_model', queries: [] });
        return undefined;
      }
      const found = read(said);
      steps.push({ kind, outcome: found === undefined ? 'failed' : 'done', queries: found?.queries ?? [] });
      return found?.made;
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      steps.push({ kind, outcome: 'failed', queries: [] });
      return undefined;
    }
  };
  const count = Math.min(settings.queries, MOST_WORDINGS);
  const [wordings, hyde, parts] = await Promise.all([
    count > 0
      ? step('queries', { instruction: WORDINGS(count), maxOutputTokens: 400 }, (said) => listed(objectIn(said), count))
      : undefined,
    settings.hyde
      ? step('hyde', { instruction: PASSAGE, maxOutputTokens: 300 }, (said) => {
          const made = said.slice(0, LONGEST_PASSAGE);
          return made === '' ? undefined : { made, queries: [made] };
        })
      : undefined,
    settings.subQueries
      ? step('sub_queries', { instruction: PARTS, maxOutputTokens: 400 }, (said) => {
          const answer = objectIn(said);
          if (isJsonObject(answer) && answer['type'] === 'single') return { made: [], queries: [] };
          return isJsonObject(answer) && TYPES.has(answer['type']) ? listed(answer, MOST_PARTS) : undefined;
        })
      : undefined,
  ]);

  const seen = new Set([query]);
  const queries = [
    ...(wordings ?? []).map((text) => ({ text, weight: WORDING_WEIGHT })),
    ...(parts ?? []).map((text) => ({ text, weight: PART_WEIGHT })),
  ].filter(({ text }) => !seen.has(text) && seen.add(text) !== undefined);
  return { query, queries, ...(hyde !== undefined && { hyde }), steps };
}

/** The one JSON object that a model answers with, also in a fence. */
function objectIn(said: string): JsonValue | undefined {
  return parseJson(said.replace(/^\s*```(?:json)?\s*|\s*```\s*$/g, ''));
}

/** The queries of an answer, as far as they are texts of a sensible length. */
function listed(answer: JsonValue | undefined, most: number): { made: string[]; queries: string[] } | undefined {
  const list = isJsonObject(answer) ? answer['queries'] : undefined;
  if (!Array.isArray(list)) return undefined;
  const made = list
    .flatMap((each) => (typeof each === 'string' ? [each.trim()] : []))
    .filter((text) => text !== '' && text.length <= LONGEST_QUERY)
    .slice(0, most);
  return made.length === 0 ? undefined : { made, queries: made };
}
