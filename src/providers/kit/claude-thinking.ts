import type { JsonObject } from '../../lib/json.ts';
import type { ChatRequest } from '../../spec/chat.ts';

/** The least that the wire takes as a budget of thinking. */
export const MIN_BUDGET_TOKENS = 1_024;

const BUDGETS: Readonly<Record<string, number>> = { minimal: 1_024, low: 2_048, medium: 8_192, high: 16_384 };
const MAX_BUDGET = 32_768;
const EFFORTS = new Set(['low', 'medium', 'high', 'xhigh', 'max']);

/** Models up to generation 4.5 take a budget of tokens; later ones think as much as an effort allows. */
const BUDGET_MODELS = /claude-(3|(opus|sonnet|haiku)-4(-[0-5])?(-?\d{8}|@|:|$)|(opus|sonnet|haiku)-4-[0-5]\b)/;

export interface Thinking {
  thinking?: JsonObject;
  effort?: string;
  /** What the budget adds to the tokens of the answer; the wire counts both against `max_tokens`. */
  budgetTokens: number;
}

/** A wish for reasoning in the words of the wire, as the model takes them. */
export function encodeThinking(model: string, reasoning: ChatRequest['reasoning']): Thinking {
  if (reasoning === undefined) return { budgetTokens: 0 };
  const { effort, budgetTokens } = reasoning;
  if (effort === 'none' || budgetTokens === 0) return { thinking: { type: 'disabled' }, budgetTokens: 0 };
  if (budgetTokens === undefined && !BUDGET_MODELS.test(model)) {
    return { thinking: { type: 'adaptive' }, effort: wireEffort(effort), budgetTokens: 0 };
  }
  const budget = Math.max(MIN_BUDGET_TOKENS, budgetTokens ?? BUDGETS[effort ?? 'medium'] ?? MAX_BUDGET);
  return { thinking: { type: 'enabled', budget_tokens: budget }, budgetTokens: budget };
}

function wireEffort(effort: string | undefined): string {
  if (effort === undefined) return 'medium';
  return EFFORTS.has(effort) ? effort : 'low';
}
