import type { JsonObject } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest, ToolDefinition } from '../../spec/chat.ts';
import { uncarried } from '../kit/uncarried.ts';
import { encodeContents, encodeSystem } from './encode-content.ts';
import { thinks } from './model-name.ts';
import { encodeThinking } from './thinking.ts';

/** Fields of the wire that the vocabulary has no word for and that are carried under their own name. */
const CARRIED = new Set(['cachedContent', 'labels', 'safetySettings']);

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
 * A request in the words of the Gemini wire (ai.google.dev/api/generate-content). Images must be data or
 * gs:// addresses. Prompt-cache markers are left out, because this vendor caches by itself; so are names of
 * speakers and the end user, for whom the wire has no field.
 * @throws SekishoError unsupported_parameter naming everything that the wire cannot carry, where the call wants that.
 */
export function encodeChatRequest(
  request: ChatRequest,
  call: Pick<CallContext, 'model' | 'target' | 'onUncarried'>,
): JsonObject {
  const unsupported = new Set<string>();
  const extra: JsonObject = {};
  for (const [name, value] of Object.entries(request.extra ?? {})) {
    if (CARRIED.has(name)) extra[name] = value;
    // One answer is what the vocabulary holds.
    else if (!HINTS.has(name) && !(name === 'n' && value === 1)) unsupported.add(name);
  }
  const { tools = [] } = request;
  if (tools.length > 0 && request.parallelToolCalls === false) unsupported.add('parallel_tool_calls');
  const thinkingConfig = encodeThinking(call.model, request.reasoning);
  if (thinkingConfig === 'unsupported') unsupported.add('reasoning');
  const contents = encodeContents(request.messages, {
    signatures: thinks(call.model) === 'by level' ? 'required' : 'optional',
    unsupported,
  });
  const systemInstruction = encodeSystem(request.messages, unsupported);
  uncarried(call, [...unsupported]);

  const generationConfig = encodeConfig(request);
  if (typeof thinkingConfig === 'object') generationConfig['thinkingConfig'] = thinkingConfig;
  const toolConfig = tools.length === 0 ? undefined : encodeToolChoice(request);
  return {
    ...extra,
    contents,
    ...(systemInstruction && { systemInstruction }),
    ...(tools.length > 0 && { tools: [{ functionDeclarations: tools.map(encodeTool) }] }),
    ...(toolConfig && { toolConfig: { functionCallingConfig: toolConfig } }),
    ...(Object.keys(generationConfig).length > 0 && { generationConfig }),
  };
}

function encodeConfig(request: ChatRequest): JsonObject {
  const format = request.responseFormat;
  return {
    ...(request.maxOutputTokens !== undefined && { maxOutputTokens: request.maxOutputTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { topP: request.topP }),
    ...(request.topK !== undefined && { topK: request.topK }),
    ...(request.stop && { stopSequences: request.stop }),
    ...(request.seed !== undefined && { seed: request.seed }),
    ...(request.presencePenalty !== undefined && { presencePenalty: request.presencePenalty }),
    ...(request.frequencyPenalty !== undefined && { frequencyPenalty: request.frequencyPenalty }),
    ...((format?.type === 'json' || format?.type === 'json-schema') && { responseMimeType: 'application/json' }),
    ...(format?.type === 'json-schema' && { responseJsonSchema: withoutDialect(format.schema) }),
  };
}

/** The field for JSON Schema takes what the older one, a dialect of OpenAPI, refuses. */
function encodeTool(tool: ToolDefinition): JsonObject {
  return {
    name: tool.name,
    ...(tool.description !== undefined && { description: tool.description }),
    parametersJsonSchema: withoutDialect({ type: 'object', ...tool.parameters }),
  };
}

/** `VALIDATED` holds the arguments of calls to their schemas, which is what a strict tool asks for. */
function encodeToolChoice({ tools, toolChoice }: ChatRequest): JsonObject | undefined {
  switch (toolChoice?.type) {
    case 'none':
      return { mode: 'NONE' };
    case 'required':
      return { mode: 'ANY' };
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [toolChoice.name] };
    case 'auto':
    case undefined:
      if (tools?.some((tool) => tool.strict === true) === true) return { mode: 'VALIDATED' };
      return toolChoice === undefined ? undefined : { mode: 'AUTO' };
    default:
      return toolChoice satisfies undefined;
  }
}

function withoutDialect(schema: JsonObject): JsonObject {
  const { $schema: _, ...rest } = schema;
  return rest;
}
