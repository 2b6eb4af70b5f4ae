import type { JsonObject } from '../../lib/json.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import { encodeThinking, MIN_BUDGET_TOKENS } from '../kit/claude-thinking.ts';
import type { ModelFamily } from './model-family.ts';

/**
 * What the call has no word for but the model has: reasoning and top_k, as fields of the model's own
 * (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html). What it has no word for either is added
 * to `unsupported`.
 */
export function modelFields(
  request: ChatRequest,
  { model, family, unsupported }: { model: string; family: ModelFamily; unsupported: Set<string> },
): JsonObject {
  switch (family) {
    case 'claude':
      return { ...claudeThinking(request, model, unsupported), ...named('top_k', request.topK) };
    case 'nova':
      return {
        ...novaReasoning(request),
        ...(request.topK !== undefined && { inferenceConfig: { topK: request.topK } }),
      };
    case 'gpt-oss':
      if (request.topK !== undefined) unsupported.add('top_k');
      return named('reasoning_effort', gptEffort(request));
    case 'mistral':
    case 'unknown':
    case 'other':
      if (request.topK !== undefined && family !== 'mistral') unsupported.add('top_k');
      if (wantsReasoning(request)) unsupported.add('reasoning');
      return family === 'mistral' ? named('top_k', request.topK) : {};
    default:
      return family satisfies never;
  }
}

function claudeThinking(request: ChatRequest, model: string, unsupported: Set<string>): JsonObject {
  const { thinking, effort, budgetTokens } = encodeThinking(model, request.reasoning);
  const maxTokens = request.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  if (budgetTokens > 0 && maxTokens <= MIN_BUDGET_TOKENS) {
    unsupported.add(`reasoning within ${maxTokens} tokens`);
    return {};
  }
  if (budgetTokens >= maxTokens && thinking !== undefined) thinking['budget_tokens'] = maxTokens - 1;
  return { ...(thinking && { thinking }), ...(effort !== undefined && { output_config: { effort } }) };
}

function novaReasoning(request: ChatRequest): JsonObject {
  if (request.reasoning === undefined) return {};
  if (!wantsReasoning(request)) return { reasoningConfig: { type: 'disabled' } };
  return { reasoningConfig: { type: 'enabled', maxReasoningEffort: effortOf(request) } };
}

/** These models cannot do without. */
function gptEffort(request: ChatRequest): string | undefined {
  if (request.reasoning === undefined) return undefined;
  return wantsReasoning(request) ? effortOf(request) : 'low';
}

/** An effort in the three words that most models know. */
function effortOf({ reasoning }: ChatRequest): string {
  const { effort, budgetTokens = 8_192 } = reasoning ?? {};
  if (effort === undefined) return budgetTokens < 2_048 ? 'low' : budgetTokens < 16_384 ? 'medium' : 'high';
  if (effort === 'minimal' || effort === 'low') return 'low';
  return effort === 'medium' ? 'medium' : 'high';
}

function wantsReasoning({ reasoning }: ChatRequest): boolean {
  return reasoning !== undefined && reasoning.effort !== 'none' && reasoning.budgetTokens !== 0;
}

function named(name: string, value: string | number | undefined): JsonObject {
  return value === undefined ? {} : { [name]: value };
}
