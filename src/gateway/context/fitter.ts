import type { TokenCounter } from '../../nlp/count-tokens/token-counter.ts';
import type { ChatRequest, Message } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { ContextPolicy } from '../catalogue.ts';
import type { CallOrigin } from '../model-call.ts';
import { chooseUnits, openingUnits, requiredUnits, withoutOrphans, type WeighedUnit } from './choose-units.ts';
import { conversationUnits, type ConversationUnit } from './conversation-units.ts';
import { createSummaryNotes, type Summarise } from './summary-note.ts';
import { weighMessages, weighSurroundings, type Weight } from './weigh.ts';

export interface FitterDeps {
  countTokens: TokenCounter;
  summarise: Summarise;
  /** How long a summary may take before its messages are dropped without one. Default 20,000. */
  summaryTimeoutMs?: number;
}

export interface FitOptions {
  /** Absent: the request stays as it is, at no cost. */
  policy?: ContextPolicy;
  /** What the target's window holds, input and output together. */
  windowTokens?: number;
  /** The upstream's name of the model. */
  model: string;
  signal: AbortSignal;
  /** The call that is fitted; a summary is written on its account. */
  origin?: CallOrigin;
}

export interface Fitted {
  request: ChatRequest;
  /** Messages that are gone. */
  dropped: number;
  summarised: boolean;
  inputTokens: number;
}

export interface Fitter {
  /**
   * The request with its history trimmed to the window of the target at hand; undefined where nothing is to change.
   * Kept are instructions, pinned messages, the last turn of the user and what is to be answered; order stays, and a
   * call of a tool stays with its result.
   * @throws SekishoError context_too_long with the sizes, where even that does not fit.
   */
  fit(request: ChatRequest, options: FitOptions): Promise<Fitted | undefined>;
  /** Tokens of the whole input, margin included. */
  count(request: ChatRequest, model: string): Promise<number>;
}

/** What the opening of a conversation may take, where the middle is what goes. */
const OPENING_SHARE = 0.25;
/** What an answer is given of the window where the caller states no maximum. */
const ASSUMED_OUTPUT_TOKENS = 4_096;
const ASSUMED_OUTPUT_SHARE = 0.25;
const SUMMARY_SHARE = 0.125;
const MAX_SUMMARY_TOKENS = 1_024;
/**
 * Where old turns are summarised, the cut moves in steps of this share of the room, so that a summary, and the
 * upstream's cache of the prompt, serve several turns.
 */
const CUT_STEP_SHARE = 0.25;

/** A request whose units are weighed as far as they can matter. */
interface Weighed {
  request: ChatRequest;
  units: WeighedUnit[];
  /** What is kept of the opening where the room allows. */
  opening: readonly number[];
  required: Set<number>;
  requiredTokens: number;
  limit: number;
}

/** Fits requests into windows. */
export function createFitter({ countTokens, summarise, summaryTimeoutMs = 20_000 }: FitterDeps): Fitter {
  const notes = createSummaryNotes({ summarise, timeoutMs: summaryTimeoutMs });

  async function weigh(
    request: ChatRequest,
    { model, policy, limit }: { model: string; policy: ContextPolicy['policy']; limit: number },
  ): Promise<Weighed | undefined> {
    const { units, weights } = weightsOf(request, model);
    const bound = weights.reduce((sum, { text, tokens }) => sum + tokens + countTokens.atMost(model, text), 0);
    if (bound <= limit) return undefined;

    const [around = NOTHING, ...own] = weights;
    const opening = policy === 'drop-middle' ? openingUnits(units) : [];
    const openingTexts = opening.map((at) => own[at]?.text ?? '');
    const openingCounts = await countTokens.count(model, openingTexts, limit * OPENING_SHARE);
    const openingTokens = openingCounts.reduce((sum, count) => sum + count, 0);
    if (openingTokens > limit * OPENING_SHARE) opening.length = 0;

    // Counted in the order in which it is kept, so that counting can end where the room does.
    const required = requiredUnits(units);
    const order = [...new Set([...required, ...opening, ...units.keys().toArray().reverse()])];
    const texts = [around.text, ...order.map((at) => own[at]?.text ?? '')];
    const counts = await countTokens.count(model, texts, limit + openingTokens);
    // The count that goes beyond has ended before its text did.
    if (counts.reduce((sum, count) => sum + count, 0) > limit + openingTokens) counts.pop();
    const aroundTokens = counts.shift() ?? limit + 1;
    const tokens: (number | undefined)[] = Array.from({ length: units.length });
    counts.forEach((count, index) => {
      const at = order[index];
      if (at !== undefined) tokens[at] = count + (own[at]?.tokens ?? 0);
    });
    const surroundings = aroundTokens + around.tokens;
    let requiredTokens = surroundings;
    let uncounted = 0;
    for (const at of required) {
      if (tokens[at] === undefined) uncounted++;
      requiredTokens += tokens[at] ?? 0;
    }
    if (uncounted > 0 || requiredTokens > limit) {
      // What is not counted to its end lies above the limit by itself.
      const atLeast = Math.max(requiredTokens, limit + uncounted);
      throw new SekishoError('context_too_long', { values: { tokens: atLeast, limit }, param: 'messages' });
    }
    const total = tokens.reduce<number>((sum, each) => sum + (each ?? Number.POSITIVE_INFINITY), surroundings);
    if (total <= limit) return undefined;
    const weighed = units.map((unit, at): WeighedUnit => ({ ...unit, tokens: tokens[at] }));
    return { request, units: weighed, opening, required, requiredTokens, limit };
  }

  async function summarised(weighed: Weighed, options: FitOptions): Promise<Fitted | undefined> {
    const { request, units, required, requiredTokens, limit } = weighed;
    const { policy, model, signal, origin } = options;
    const reserve = Math.min(MAX_SUMMARY_TOKENS, Math.floor(limit * SUMMARY_SHARE));
    const room = limit - requiredTokens - reserve;
    if (policy?.summaryRoute === undefined || room < 0) return undefined;
    const newest = chooseUnits(units, { opening: [], required, room });
    const kept = await steadyCut(weighed, newest, (texts) => countTokens.count(model, texts));
    const gone = units.flatMap(({ from, to }, at) => (kept.has(at) ? [] : request.messages.slice(from, to)));
    const asked = { route: policy.summaryRoute, maxOutputTokens: reserve, signal, ...(origin && { origin }) };
    const text = await notes.noteFor(gone, asked);
    if (text === undefined) return undefined;
    const note: Message = { role: 'system', parts: [{ type: 'text', text }] };
    const weight = weighMessages([note], model);
    const [counted = 0] = await countTokens.count(model, [weight.text]);
    // A writer who does not keep to its length is not heard.
    if (counted + weight.tokens > reserve) return undefined;
    const behind = units.find(({ kind }) => kind !== 'lead')?.from ?? 0;
    return fitted(weighed, kept, { note, behind, tokens: counted + weight.tokens });
  }

  return {
    fit: async (request, options) => {
      const { policy, windowTokens, model } = options;
      if (policy === undefined) return undefined;
      const limit = inputLimit(request, policy, windowTokens);
      if (limit === undefined) return undefined;
      const weighed = await weigh(request, { model, policy: policy.policy, limit });
      if (weighed === undefined) return undefined;
      if (policy.policy === 'summarise') {
        const answer = await summarised(weighed, options);
        if (answer !== undefined) return answer;
      }
      const room = limit - weighed.requiredTokens;
      const { units, opening, required } = weighed;
      return fitted(weighed, chooseUnits(units, { opening, required, room }));
    },

    count: async (request, model) => {
      const { weights } = weightsOf(request, model);
      const counts = await countTokens.count(
        model,
        weights.map(({ text }) => text),
      );
      return weights.reduce((sum, { tokens }, at) => sum + tokens + (counts[at] ?? 0), 0);
    },
  };
}

const NOTHING = { text: '', tokens: 0 };

/** The units of a conversation, and what everything weighs: first what stands around it, then unit by unit. */
function weightsOf(request: ChatRequest, model: string): { units: ConversationUnit[]; weights: Weight[] } {
  const units = conversationUnits(request.messages);
  const own = units.map(({ from, to }) => weighMessages(request.messages.slice(from, to), model));
  return { units, weights: [weighSurroundings(request), ...own] };
}

/** Tokens that the input may take; undefined where nobody knows a bound. */
function inputLimit(request: ChatRequest, policy: ContextPolicy, windowTokens: number | undefined): number | undefined {
  const stated = policy.maxInputTokens;
  if (windowTokens === undefined) return stated;
  const assumed = Math.min(ASSUMED_OUTPUT_TOKENS, Math.floor(windowTokens * ASSUMED_OUTPUT_SHARE));
  const left = Math.max(0, windowTokens - (request.maxOutputTokens ?? assumed));
  return stated === undefined ? left : Math.min(stated, left);
}

function fitted(
  { request, units, requiredTokens, required }: Weighed,
  kept: ReadonlySet<number>,
  summary?: { note: Message; behind: number; tokens: number },
): Fitted {
  const messages: Message[] = [];
  let inputTokens = requiredTokens + (summary?.tokens ?? 0);
  let dropped = 0;
  units.forEach((unit, at) => {
    if (unit.from === summary?.behind) messages.push(summary.note);
    const own = request.messages.slice(unit.from, unit.to);
    if (!kept.has(at)) dropped += own.length;
    else messages.push(...own);
    if (kept.has(at) && !required.has(at)) inputTokens += unit.tokens ?? 0;
  });
  return { request: { ...request, messages }, dropped, summarised: summary !== undefined, inputTokens };
}

/** Moves the cut before the newest units on to the next step, as far as units remain that may go. */
async function steadyCut(
  { request, units, required, limit, requiredTokens }: Weighed,
  newest: ReadonlySet<number>,
  count: (texts: readonly string[]) => Promise<number[]>,
): Promise<Set<number>> {
  // A power of two, so that it stays the same while the last turn, and with it the room, grows and shrinks.
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, (limit - requiredTokens) * CUT_STEP_SHARE))));
  const first = units.findIndex((_, at) => newest.has(at) && !required.has(at));
  if (first === -1) return new Set(newest);
  const before = units.slice(0, first).filter((_, at) => !newest.has(at));
  const gone = await sizeOf(before, request, count);
  const goal = Math.ceil(gone / step) * step;
  const kept = new Set(newest);
  let sum = gone;
  for (let at = first; at < units.length && sum < goal; at++) {
    if (required.has(at)) continue;
    sum += units[at]?.tokens ?? 0;
    kept.delete(at);
  }
  return withoutOrphans(units, kept, required);
}

/** What is gone lies beyond the room, so that nobody has counted it yet. */
async function sizeOf(
  units: readonly ConversationUnit[],
  { messages }: ChatRequest,
  count: (texts: readonly string[]) => Promise<number[]>,
): Promise<number> {
  const weights = units.map(({ from, to }) => weighMessages(messages.slice(from, to), ''));
  const counts = await count(weights.map(({ text }) => text));
  return weights.reduce((sum, { tokens }, at) => sum + tokens + (counts[at] ?? 0), 0);
}
