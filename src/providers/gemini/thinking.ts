import type { JsonObject } from '../../lib/json.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import { thinks } from './model-name.ts';

/** The vendor's own table of efforts (ai.google.dev/gemini-api/docs/openai#thinking). */
const BUDGETS: Readonly<Record<string, number>> = { minimal: 1_024, low: 1_024, medium: 8_192, high: 24_576 };
const MAX_BUDGET = 24_576;
/** The least that models take which cannot do without thinking. */
const PRO_MIN_BUDGET = 128;

/** A wish for reasoning in the words of the wire, as the model takes them; `unsupported` where it cannot think. */
export function encodeThinking(
  model: string,
  reasoning: ChatRequest['reasoning'],
): JsonObject | 'unsupported' | undefined {
  if (reasoning === undefined) return undefined;
  const kind = thinks(model);
  const off = reasoning.effort === 'none' || reasoning.budgetTokens === 0;
  if (kind === 'never') return off ? undefined : 'unsupported';
  const shown = off ? {} : { includeThoughts: true };
  if (kind === 'by level' && (off || reasoning.budgetTokens === undefined)) {
    return { thinkingLevel: levelOf(model, off ? 'none' : (reasoning.effort ?? 'medium')), ...shown };
  }
  if (off) return { thinkingBudget: model.includes('pro') ? PRO_MIN_BUDGET : 0 };
  return { thinkingBudget: reasoning.budgetTokens ?? BUDGETS[reasoning.effort ?? 'medium'] ?? MAX_BUDGET, ...shown };
}

/** The pro models begin at `low`, and the first of them knows nothing between low and high. */
function levelOf(model: string, effort: string): string {
  const pro = /(^|\/)gemini-\d+(\.\d+)?-pro/.test(model);
  switch (effort) {
    case 'none':
    case 'minimal':
      return pro ? 'low' : 'minimal';
    case 'low':
      return 'low';
    case 'medium':
      return /(^|\/)gemini-3-pro/.test(model) ? 'high' : 'medium';
    default:
      return 'high';
  }
}
