import type { JsonObject, JsonValue } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest, ContentPart, Message, ToolChoice } from '../../spec/chat.ts';
import { uncarried } from '../kit/uncarried.ts';
import { splitCallId } from '../kit/call-signature.ts';
import { encodeResults } from './encode-results.ts';

/** Fields without a word in the vocabulary that mean the same here under the same name. */
const CARRIED = new Set([
  'audio',
  'logit_bias',
  'logprobs',
  'metadata',
  'modalities',
  'n',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'service_tier',
  'store',
  'top_logprobs',
  'user',
  'verbosity',
  'web_search_options',
]);

/**
 * A request in the words of the OpenAI wire (platform.openai.com/docs/api-reference/chat/create).
 * @throws SekishoError unsupported_parameter for what the wire has no word for, unless the call leaves it out.
 */
export function encodeChatRequest(
  request: ChatRequest,
  options: Pick<CallContext, 'model' | 'target' | 'onUncarried'> & {
    stream: 'no' | 'plain' | 'with usage';
    maxTokensField: 'max_tokens' | 'max_completion_tokens';
  },
): JsonObject {
  const unknown = Object.keys(request.extra ?? {}).filter((name) => !CARRIED.has(name));
  if (request.topK !== undefined) unknown.push('top_k');
  uncarried(options, unknown);
  const extra = Object.entries(request.extra ?? {}).filter(([name]) => CARRIED.has(name));
  return {
    ...Object.fromEntries(extra),
    model: options.model,
    messages: request.messages.flatMap(encodeMessage),
    ...(request.tools && {
      tools: request.tools.map(({ name, description, parameters, strict }) => ({
        type: 'function',
        function: { name, ...(description && { description }), parameters, ...(strict !== undefined && { strict }) },
      })),
    }),
    ...(request.toolChoice && { tool_choice: encodeToolChoice(request.toolChoice) }),
    ...(request.parallelToolCalls !== undefined && { parallel_tool_calls: request.parallelToolCalls }),
    ...(request.responseFormat && { response_format: encodeFormat(request.responseFormat) }),
    ...(request.maxOutputTokens !== undefined && { [options.maxTokensField]: request.maxOutputTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.stop && { stop: request.stop }),
    ...(request.seed !== undefined && { seed: request.seed }),
    ...(request.presencePenalty !== undefined && { presence_penalty: request.presencePenalty }),
    ...(request.frequencyPenalty !== undefined && { frequency_penalty: request.frequencyPenalty }),
    ...(request.reasoning && { reasoning_effort: effortOf(request.reasoning) }),
    ...(request.endUser !== undefined && { user: request.endUser }),
    ...(options.stream !== 'no' && { stream: true }),
    ...(options.stream === 'with usage' && { stream_options: { include_usage: true } }),
  };
}

/** A thinking budget as an effort: the wire has three words for what another wire counts in tokens. */
function effortOf(reasoning: NonNullable<ChatRequest['reasoning']>): string {
  if (reasoning.effort !== undefined) return reasoning.effort;
  const tokens = reasoning.budgetTokens ?? 0;
  return tokens < 2_048 ? 'low' : tokens < 16_384 ? 'medium' : 'high';
}

/** One message; tool results become messages of their own, which must directly follow the calls. */
function encodeMessage(message: Message): JsonObject[] {
  const results = encodeResults(message.parts, encodePart);
  const calls = message.parts.flatMap((part): JsonObject[] =>
    part.type === 'tool-call'
      ? [{ id: splitCallId(part.id).id, type: 'function', function: { name: part.name, arguments: part.arguments } }]
      : [],
  );
  const content = [...results.beside, ...message.parts.flatMap(encodePart)];
  if (content.length === 0 && calls.length === 0) return results.messages;
  const name = message.name === undefined ? {} : { name: message.name };
  const toolCalls = calls.length === 0 ? {} : { tool_calls: calls };
  return [...results.messages, { role: message.role, ...name, content: joined(content), ...toolCalls }];
}

/** Text alone goes as a string, which every speaker of the wire understands; anything more goes as parts. */
function joined(content: JsonObject[]): JsonValue {
  if (content.length === 0) return null;
  if (content.length === 1 && content[0]?.['type'] === 'text') return content[0]['text'] ?? '';
  return content;
}

function encodePart(part: ContentPart): JsonObject[] {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text }];
    case 'image':
      return [{ type: 'image_url', image_url: { url: part.url, ...(part.detail && { detail: part.detail }) } }];
    case 'file':
      return [
        {
          type: 'file',
          file: { filename: part.name ?? 'file', file_data: `data:${part.mediaType};base64,${part.data}` },
        },
      ];
    case 'audio':
      return [{ type: 'input_audio', input_audio: { data: part.data, format: part.format } }];
    // Reasoning of earlier turns is not sent back on this wire; calls and results stand beside the content.
    case 'reasoning':
    case 'tool-call':
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

function encodeToolChoice(choice: ToolChoice): JsonValue {
  return choice.type === 'tool' ? { type: 'function', function: { name: choice.name } } : choice.type;
}

function encodeFormat(format: NonNullable<ChatRequest['responseFormat']>): JsonObject {
  if (format.type === 'text') return { type: 'text' };
  if (format.type === 'json') return { type: 'json_object' };
  const { name, schema, strict, description } = format;
  return {
    type: 'json_schema',
    json_schema: { name, schema, ...(strict !== undefined && { strict }), ...(description && { description }) },
  };
}
