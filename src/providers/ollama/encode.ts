import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import { uncarried } from '../kit/uncarried.ts';
import { encodeMessages } from './encode-content.ts';

/** Fields of the wire that the vocabulary has no word for and that are carried under their own name. */
const CARRIED = new Set(['keep_alive', 'options', 'think']);

/** Fields of other dialects that change nothing about the answer. */
const HINTS = new Set([
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
]);

/**
 * A request in the words of Ollama's own chat (github.com/ollama/ollama/blob/main/docs/api.md). Images must be
 * data. Fields of `options` that the caller names come before those made from the vocabulary. The end user and
 * names of speakers are left out: the wire has no field for them.
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
  // A choice of none is carried by naming no tools; the wire knows no other.
  const { toolChoice: choice } = request;
  const tools = choice?.type === 'none' ? [] : (request.tools ?? []);
  if (tools.length > 0 && (choice?.type === 'required' || choice?.type === 'tool')) unsupported.add('tool_choice');
  if (tools.length > 0 && request.parallelToolCalls === false) unsupported.add('parallel_tool_calls');
  const messages = encodeMessages(request.messages, unsupported);
  uncarried(call, [...unsupported]);
  const { options: given, ...rest } = extra;
  const options = { ...encodeOptions(request), ...(isJsonObject(given) && given) };
  const format = encodeFormat(request.responseFormat);
  const think = encodeThinking(request.reasoning, call.model);
  return {
    model: call.model,
    messages,
    stream: call.stream,
    ...(tools.length > 0 && { tools: tools.map(encodeTool) }),
    ...(format !== undefined && { format }),
    ...(think !== undefined && { think }),
    ...(Object.keys(options).length > 0 && { options }),
    ...rest,
  };
}

function encodeOptions(request: ChatRequest): JsonObject {
  return {
    ...(request.maxOutputTokens !== undefined && { num_predict: request.maxOutputTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.topK !== undefined && { top_k: request.topK }),
    ...(request.stop && { stop: request.stop }),
    ...(request.seed !== undefined && { seed: request.seed }),
    ...(request.presencePenalty !== undefined && { presence_penalty: request.presencePenalty }),
    ...(request.frequencyPenalty !== undefined && { frequency_penalty: request.frequencyPenalty }),
  };
}

function encodeTool(tool: NonNullable<ChatRequest['tools']>[number]): JsonObject {
  const { name, description, parameters } = tool;
  return { type: 'function', function: { name, ...(description !== undefined && { description }), parameters } };
}

function encodeFormat(format: ChatRequest['responseFormat']): JsonValue | undefined {
  if (format === undefined || format.type === 'text') return undefined;
  return format.type === 'json' ? 'json' : format.schema;
}

/** The one family that takes words for how much, and cannot be told simply to think. All others know yes and no. */
const TAKES_LEVELS = /(?:^|\/)gpt-oss(?:[:-]|$)/;
const LEVELS: Readonly<Record<string, string>> = {
  minimal: 'low',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'high',
  max: 'high',
};

function encodeThinking(reasoning: ChatRequest['reasoning'], model: string): JsonValue | undefined {
  if (reasoning === undefined) return undefined;
  if (reasoning.effort === 'none' || reasoning.budgetTokens === 0) return false;
  return (TAKES_LEVELS.test(model) && LEVELS[reasoning.effort ?? '']) || true;
}
