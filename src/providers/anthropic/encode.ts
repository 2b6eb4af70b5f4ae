import type { JsonObject } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest, Message, ToolChoice, ToolDefinition } from '../../spec/chat.ts';
import { uncarried } from '../kit/uncarried.ts';
import { closedSchema } from '../kit/closed-schema.ts';
import { cacheControl, encodePart, type Unsupported } from './encode-content.ts';
import { encodeThinking, MIN_BUDGET_TOKENS } from '../kit/claude-thinking.ts';

/** The wire wants a limit on every answer; this one stands where the caller set none. */
const DEFAULT_MAX_TOKENS = 8_192;

/** Fields of the wire that the vocabulary has no word for and that are carried under their own name. */
const CARRIED = new Set(['container', 'context_management', 'inference_geo', 'mcp_servers', 'service_tier', 'speed']);

/** Fields of another dialect that change nothing about the answer. */
const HINTS = new Set([
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
]);

/**
 * A request in the words of the Anthropic wire (docs.anthropic.com/en/api/messages). System messages, wherever
 * they stand, become the system prompt; neighbours of the same role become one message; names of speakers are
 * left out.
 * @throws SekishoError unsupported_parameter naming everything that the wire cannot carry, unless the call leaves
 * it out.
 */
export function encodeChatRequest(
  request: ChatRequest,
  options: Pick<CallContext, 'model' | 'target' | 'onUncarried'> & { stream: boolean },
): JsonObject {
  const unsupported: Unsupported = new Set();
  const extra: JsonObject = {};
  for (const [name, value] of Object.entries(request.extra ?? {})) {
    if (CARRIED.has(name)) extra[name] = value;
    else if (!HINTS.has(name)) unsupported.add(name);
  }
  if (request.seed !== undefined) unsupported.add('seed');
  if (request.presencePenalty) unsupported.add('presence_penalty');
  if (request.frequencyPenalty) unsupported.add('frequency_penalty');
  const tooHot = (request.temperature ?? 0) > 1;
  if (tooHot) unsupported.add('temperature above 1');
  if (request.responseFormat?.type === 'json') unsupported.add('response_format of type json_object');

  const wish = encodeThinking(options.model, request.reasoning);
  const { effort, budgetTokens } = wish;
  const maxTokens = request.maxOutputTokens ?? DEFAULT_MAX_TOKENS + budgetTokens;
  const tooTight = budgetTokens > 0 && maxTokens <= MIN_BUDGET_TOKENS;
  if (tooTight) unsupported.add(`reasoning within ${maxTokens} tokens`);
  const thinking = tooTight ? undefined : wish.thinking;
  if (budgetTokens >= maxTokens && thinking !== undefined) thinking['budget_tokens'] = maxTokens - 1;

  const system = request.messages
    .filter((message) => message.role === 'system')
    .flatMap((message) => message.parts.flatMap((part) => encodePart(part, unsupported)));
  const messages = encodeMessages(request.messages, unsupported);
  const format = request.responseFormat?.type === 'json-schema' ? request.responseFormat : undefined;
  const outputConfig = {
    ...(effort !== undefined && { effort }),
    ...(format !== undefined && { format: { type: 'json_schema', schema: closedSchema(format.schema) } }),
  };
  uncarried(options, [...unsupported]);
  const toolChoice = encodeToolChoice(request);
  return {
    ...extra,
    model: options.model,
    max_tokens: maxTokens,
    ...(system.length > 0 && { system }),
    messages,
    ...(request.tools && { tools: request.tools.map(encodeTool) }),
    ...(toolChoice && { tool_choice: toolChoice }),
    ...(request.temperature !== undefined && !tooHot && { temperature: request.temperature }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.topK !== undefined && { top_k: request.topK }),
    ...(request.stop && { stop_sequences: request.stop }),
    ...(thinking && { thinking }),
    ...(Object.keys(outputConfig).length > 0 && { output_config: outputConfig }),
    ...(request.endUser !== undefined && { metadata: { user_id: request.endUser } }),
    ...(options.stream && { stream: true }),
  };
}

/** Neighbours of one role in one message: the results of parallel calls must stand together, before any text. */
function encodeMessages(messages: readonly Message[], unsupported: Unsupported): JsonObject[] {
  const turns: { role: string; content: JsonObject[] }[] = [];
  for (const message of messages) {
    if (message.role === 'system') continue;
    const blocks = message.parts.flatMap((part) => encodePart(part, unsupported));
    if (blocks.length === 0) continue;
    const last = turns.at(-1);
    if (last?.role === message.role) last.content.push(...blocks);
    else turns.push({ role: message.role, content: blocks });
  }
  return turns.map(({ role, content }) => ({ role, content }));
}

function encodeTool(tool: ToolDefinition): JsonObject {
  return {
    name: tool.name,
    ...(tool.description !== undefined && { description: tool.description }),
    input_schema: { type: 'object', ...tool.parameters },
    ...(tool.strict === true && { strict: true }),
    ...cacheControl(tool.cache),
  };
}

function encodeToolChoice({ tools, toolChoice, parallelToolCalls }: ChatRequest): JsonObject | undefined {
  if (tools === undefined) return undefined;
  const serial = parallelToolCalls === false;
  if (toolChoice === undefined) return serial ? { type: 'auto', disable_parallel_tool_use: true } : undefined;
  const choice = choiceOf(toolChoice);
  return serial && choice['type'] !== 'none' ? { ...choice, disable_parallel_tool_use: true } : choice;
}

function choiceOf(choice: ToolChoice): JsonObject {
  switch (choice.type) {
    case 'auto':
    case 'none':
      return { type: choice.type };
    case 'required':
      return { type: 'any' };
    case 'tool':
      return { type: 'tool', name: choice.name };
    default:
      return choice satisfies never;
  }
}
