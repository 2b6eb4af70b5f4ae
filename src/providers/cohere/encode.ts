import type { JsonObject } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import { uncarried } from '../kit/uncarried.ts';
import { encodeMessages } from './encode-content.ts';

/** Fields of the wire that the vocabulary has no word for and that are carried under their own name. */
const CARRIED = new Set(['citation_options', 'priority', 'safety_mode']);

/** Fields of other dialects that change nothing about the answer. */
const HINTS = new Set([
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
]);

/** Budgets that stand for an effort, as the wire counts thinking in tokens. */
const BUDGETS: Readonly<Record<string, number>> = { minimal: 512, low: 1_024, medium: 8_192, high: 24_576 };

/**
 * A request in the words of Cohere's chat (docs.cohere.com/reference/chat, version 2). Passages go as documents.
 * A choice of one tool is a list of that tool alone, one of which must be called. The end user and names of
 * speakers are left out: the wire has no field for them.
 * @throws SekishoError unsupported_parameter naming everything that the wire cannot carry, where the call wants that.
 */
export function encodeChatRequest(
  request: ChatRequest,
  call: Pick<CallContext, 'model' | 'target' | 'onUncarried'> & { stream: boolean },
): JsonObject {
  const unsupported = new Set<string>();
  const extra: JsonObject = {};
  for (const [name, value] of Object.entries(request.extra ?? {})) {
    if (CARRIED.has(name)) extra[name] = value;
    // One answer is what the vocabulary holds.
    else if (!HINTS.has(name) && !(name === 'n' && value === 1)) unsupported.add(name);
  }
  const tools = chosenTools(request);
  if (tools.length > 0 && request.parallelToolCalls === false) unsupported.add('parallel_tool_calls');
  // The wire counts both from 0 to 1; a negative penalty has no counterpart.
  if ((request.presencePenalty ?? 0) < 0) unsupported.add('presence_penalty');
  if ((request.frequencyPenalty ?? 0) < 0) unsupported.add('frequency_penalty');
  const messages = encodeMessages(request.messages, unsupported);
  uncarried(call, [...unsupported]);
  return {
    ...extra,
    model: call.model,
    messages,
    stream: call.stream,
    ...(tools.length > 0 && { tools: tools.map(encodeTool), ...toolChoice(request) }),
    ...(tools.some((tool) => tool.strict === true) && { strict_tools: true }),
    ...(request.passages && { documents: request.passages.map(encodePassage) }),
    ...encodeFormat(request.responseFormat),
    ...encodeSampling(request),
    ...encodeThinking(request.reasoning),
  };
}

function encodeSampling(request: ChatRequest): JsonObject {
  const { presencePenalty = -1, frequencyPenalty = -1 } = request;
  return {
    ...(request.maxOutputTokens !== undefined && { max_tokens: request.maxOutputTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { p: request.topP }),
    ...(request.topK !== undefined && { k: request.topK }),
    ...(request.stop && { stop_sequences: request.stop }),
    ...(request.seed !== undefined && { seed: request.seed }),
    ...(presencePenalty >= 0 && { presence_penalty: Math.min(1, presencePenalty) }),
    ...(frequencyPenalty >= 0 && { frequency_penalty: Math.min(1, frequencyPenalty) }),
  };
}

function chosenTools({ tools = [], toolChoice: choice }: ChatRequest): NonNullable<ChatRequest['tools']> {
  return choice?.type === 'tool' ? tools.filter((tool) => tool.name === choice.name) : tools;
}

function toolChoice({ toolChoice: choice }: ChatRequest): JsonObject {
  if (choice === undefined || choice.type === 'auto') return {};
  return { tool_choice: choice.type === 'none' ? 'NONE' : 'REQUIRED' };
}

function encodeTool(tool: NonNullable<ChatRequest['tools']>[number]): JsonObject {
  const { name, description, parameters } = tool;
  return { type: 'function', function: { name, ...(description !== undefined && { description }), parameters } };
}

function encodePassage(passage: NonNullable<ChatRequest['passages']>[number]): JsonObject {
  const { id, title, content } = passage;
  return { id, data: { ...(title !== undefined && { title }), text: content } };
}

function encodeFormat(format: ChatRequest['responseFormat']): JsonObject {
  if (format === undefined || format.type === 'text') return {};
  return {
    response_format: { type: 'json_object', ...(format.type === 'json-schema' && { json_schema: format.schema }) },
  };
}

function encodeThinking(reasoning: ChatRequest['reasoning']): JsonObject {
  if (reasoning === undefined) return {};
  if (reasoning.effort === 'none' || reasoning.budgetTokens === 0) return { thinking: { type: 'disabled' } };
  const budget = reasoning.budgetTokens ?? BUDGETS[reasoning.effort ?? ''];
  return { thinking: { type: 'enabled', ...(budget !== undefined && { token_budget: budget }) } };
}
