import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../../lib/json.ts';
import type { ChatRequest, ContentPart, Message, ToolChoice } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';

/** The wire demands a bound on the answer; this one applies where the caller names none. */
const DEFAULT_MAX_TOKENS = 8_192;
const CARRIED = new Set(['metadata', 'service_tier', 'container', 'mcp_servers', 'context_management']);
const BUDGETS: Record<string, number> = { minimal: 1_024, low: 2_048, medium: 8_192, high: 24_576 };

/**
 * A request in the words of the Anthropic wire (docs.anthropic.com/en/api/messages).
 * @throws SekishoError unsupported_parameter for what the wire has no word for.
 */
export function encodeMessages(request: ChatRequest, options: { model: string; target: string; stream: boolean }): JsonObject {
  refuseUnknown(request, options.target);
  const system = request.messages.filter(({ role }) => role === 'system').flatMap(({ parts }) => parts.flatMap(encodePart));
  const thinking = encodeThinking(request);
  const budget = thinking === undefined ? 0 : Number(thinking['budget_tokens'] ?? 0);
  return {
    ...request.extra,
    model: options.model,
    // The bound counts the thinking too, so it must leave room for an answer after it.
    max_tokens: Math.max(request.maxOutputTokens ?? DEFAULT_MAX_TOKENS, budget === 0 ? 0 : budget + 1_024),
    ...(system.length > 0 && { system }),
    messages: encodeTurns(request.messages.filter(({ role }) => role !== 'system')),
    ...(request.tools && {
      tools: request.tools.map(({ name, description, parameters, cache }) => ({
        name,
        ...(description && { description }),
        input_schema: parameters,
        ...(cache && { cache_control: { type: 'ephemeral', ...(cache.ttl && { ttl: cache.ttl }) } }),
      })),
    }),
    ...encodeToolChoice(request),
    ...(request.temperature !== undefined && { temperature: Math.min(1, request.temperature) }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.topK !== undefined && { top_k: request.topK }),
    ...(request.stop && { stop_sequences: request.stop }),
    ...(thinking && { thinking }),
    ...(request.responseFormat?.type === 'json-schema' && {
      output_config: { format: { type: 'json_schema', schema: request.responseFormat.schema } },
    }),
    ...(request.endUser !== undefined && { metadata: { user_id: request.endUser } }),
    ...(options.stream && { stream: true }),
  };
}

function refuseUnknown(request: ChatRequest, target: string): void {
  const unknown = Object.keys(request.extra ?? {}).filter((name) => !CARRIED.has(name));
  if (request.seed !== undefined) unknown.push('seed');
  if (request.presencePenalty) unknown.push('presence_penalty');
  if (request.frequencyPenalty) unknown.push('frequency_penalty');
  if (request.responseFormat?.type === 'json') unknown.push('response_format json_object');
  if (request.messages.some(({ parts }) => parts.some(({ type }) => type === 'audio'))) unknown.push('input_audio');
  if (unknown.length > 0) {
    throw new SekishoError('unsupported_parameter', { values: { route: target, parameters: unknown.join(', ') } });
  }
}

function encodeThinking({ reasoning }: ChatRequest): JsonObject | undefined {
  if (reasoning === undefined || reasoning.effort === 'none') return undefined;
  const tokens = reasoning.budgetTokens ?? BUDGETS[reasoning.effort ?? 'medium'] ?? BUDGETS['medium'];
  return { type: 'enabled', budget_tokens: tokens };
}

function encodeToolChoice({ toolChoice, parallelToolCalls, tools }: ChatRequest): JsonObject {
  if (tools === undefined || (toolChoice === undefined && parallelToolCalls !== false)) return {};
  const alone = parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  return { tool_choice: { ...choiceOf(toolChoice ?? { type: 'auto' }), ...alone } };
}

function choiceOf(choice: ToolChoice): JsonObject {
  if (choice.type === 'tool') return { type: 'tool', name: choice.name };
  return { type: choice.type === 'required' ? 'any' : choice.type };
}

/** Turns must alternate on this wire, so neighbours of one role become one; tool results lead their turn. */
function encodeTurns(messages: readonly Message[]): JsonObject[] {
  const turns: { role: string; content: JsonObject[] }[] = [];
  for (const { role, parts } of messages) {
    const content = parts.flatMap(encodePart);
    if (content.length === 0) continue;
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(...content);
    else turns.push({ role, content });
  }
  return turns;
}

function encodePart(part: ContentPart): JsonObject[] {
  const marker = 'cache' in part && part.cache ? { cache_control: { type: 'ephemeral', ...(part.cache.ttl && { ttl: part.cache.ttl }) } } : {};
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'text', text: part.text, ...marker }];
    case 'image': {
      const data = /^data:([^;,]+);base64,(.+)$/s.exec(part.url);
      const source =
        data === null
          ? { type: 'url', url: part.url }
          : { type: 'base64', media_type: data[1] ?? '', data: data[2] ?? '' };
      return [{ type: 'image', source, ...marker }];
    }
    case 'file': {
      const source = { type: 'base64', media_type: part.mediaType, data: part.data };
      return [{ type: 'document', source, ...(part.name && { title: part.name }), ...marker }];
    }
    case 'reasoning':
      if (part.redacted !== undefined) return [{ type: 'redacted_thinking', data: part.redacted }];
      // Unsigned thinking is refused by the wire, and an answer does not depend on it.
      return part.signature === undefined ? [] : [{ type: 'thinking', thinking: part.text, signature: part.signature }];
    case 'tool-call':
      return [{ type: 'tool_use', id: part.id, name: part.name, input: argumentsOf(part.arguments) }];
    case 'tool-result': {
      const content = part.content.flatMap(encodePart);
      return [{ type: 'tool_result', tool_use_id: part.id, content, ...(part.isError && { is_error: true }) }];
    }
    case 'audio':
      return [];
    default:
      return part satisfies never;
  }
}

/** The arguments of an earlier call as an object; what a model wrote that is none goes along as text. */
function argumentsOf(text: string): JsonValue {
  const parsed = parseJson(text === '' ? '{}' : text);
  return isJsonObject(parsed) ? parsed : { arguments: text };
}
