import { isJsonObject, type JsonObject } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest, ToolDefinition } from '../../spec/chat.ts';
import { closedSchema } from '../kit/closed-schema.ts';
import { uncarried } from '../kit/uncarried.ts';
import { cachePoint, encodeMessages, encodeSystem, type Encoding } from './encode-content.ts';
import { modelFamily, type ModelFamily } from './model-family.ts';
import { modelFields } from './model-fields.ts';

/** Fields of the wire that the vocabulary has no word for and that are carried under their own name. */
const CARRIED = new Set([
  'additionalModelResponseFieldPaths',
  'guardrailConfig',
  'performanceConfig',
  'requestMetadata',
  'serviceTier',
]);

/** Fields of other dialects that change nothing about the answer. */
const HINTS = new Set([
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
]);

/** Offered where a conversation has calls and the caller offers no tools: the wire wants one to be named. */
const NO_TOOL: JsonObject = {
  toolSpec: {
    name: 'no_tool',
    description: 'Not available. Never call this.',
    inputSchema: { json: { type: 'object', properties: {} } },
  },
};

/**
 * A request in the words of Converse (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html).
 * Images must be data or s3:// addresses. Names of speakers and the end user are left out.
 * @throws SekishoError unsupported_parameter naming everything that the wire cannot carry, where the call wants that.
 */
export function encodeChatRequest(
  request: ChatRequest,
  call: Pick<CallContext, 'model' | 'target' | 'onUncarried'>,
): JsonObject {
  const family = modelFamily(call.model);
  const unsupported = new Set<string>();
  const encoding: Encoding = { family, unsupported, documents: new Set() };
  const { extra, ownFields } = carriedExtra(request, unsupported);
  for (const name of uncarriedWishes(request, family)) unsupported.add(name);
  const additional = { ...modelFields(request, { model: call.model, family, unsupported }), ...ownFields };
  const system = encodeSystem(request.messages, encoding);
  const messages = encodeMessages(request.messages, encoding);
  const toolConfig = encodeTools(request, encoding);
  uncarried(call, [...unsupported]);

  const inferenceConfig = {
    ...(request.maxOutputTokens !== undefined && { maxTokens: request.maxOutputTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { topP: request.topP }),
    ...(request.stop && { stopSequences: request.stop }),
  };
  const format = request.responseFormat;
  return {
    ...extra,
    messages,
    ...(system.length > 0 && { system }),
    ...(Object.keys(inferenceConfig).length > 0 && { inferenceConfig }),
    ...(toolConfig && { toolConfig }),
    ...(format?.type === 'json-schema' && { outputConfig: { textFormat: encodeFormat(format) } }),
    ...(Object.keys(additional).length > 0 && { additionalModelRequestFields: additional }),
  };
}

function carriedExtra(
  request: ChatRequest,
  unsupported: Set<string>,
): { extra: JsonObject; ownFields: JsonObject | undefined } {
  const extra: JsonObject = {};
  let ownFields: JsonObject | undefined;
  for (const [name, value] of Object.entries(request.extra ?? {})) {
    if (name === 'additionalModelRequestFields' && isJsonObject(value)) ownFields = value;
    else if (CARRIED.has(name)) extra[name] = value;
    // One answer is what the vocabulary holds.
    else if (!HINTS.has(name) && !(name === 'n' && value === 1)) unsupported.add(name);
  }
  return { extra, ownFields };
}

function uncarriedWishes(request: ChatRequest, family: ModelFamily): string[] {
  const { temperature, responseFormat, tools = [] } = request;
  const wishes: [name: string, wished: boolean][] = [
    ['seed', request.seed !== undefined],
    ['presence_penalty', (request.presencePenalty ?? 0) !== 0],
    ['frequency_penalty', (request.frequencyPenalty ?? 0) !== 0],
    ['temperature above 1', (temperature ?? 0) > 1],
    ['response_format of type json_object', responseFormat?.type === 'json'],
    ['parallel_tool_calls', tools.length > 0 && request.parallelToolCalls === false],
    // Without calls in the conversation the tools are simply not offered.
    ['tool_choice none', tools.length > 0 && request.toolChoice?.type === 'none' && hasCalls(request)],
    ['a prompt cache of one hour', family === 'nova' && wantsLongCache(request)],
  ];
  return wishes.flatMap(([name, wished]) => (wished ? [name] : []));
}

function encodeTools(request: ChatRequest, { family }: Encoding): JsonObject | undefined {
  const { tools = [], toolChoice } = request;
  const calls = hasCalls(request);
  if (tools.length === 0 || (toolChoice?.type === 'none' && !calls)) return calls ? { tools: [NO_TOOL] } : undefined;
  const choice = encodeToolChoice(toolChoice);
  return { tools: tools.flatMap((tool) => encodeTool(tool, family)), ...(choice && { toolChoice: choice }) };
}

function encodeTool(tool: ToolDefinition, family: ModelFamily): JsonObject[] {
  const toolSpec = {
    name: tool.name,
    // The wire refuses an empty description.
    ...(tool.description && { description: tool.description }),
    inputSchema: { json: { type: 'object', ...tool.parameters } },
    ...(tool.strict === true && { strict: true }),
  };
  return [{ toolSpec }, ...(family === 'nova' ? [] : cachePoint(tool.cache, family))];
}

function encodeToolChoice(choice: ChatRequest['toolChoice']): JsonObject | undefined {
  switch (choice?.type) {
    case 'required':
      return { any: {} };
    case 'tool':
      return { tool: { name: choice.name } };
    case 'auto':
      return { auto: {} };
    case 'none':
    case undefined:
      return undefined;
    default:
      return choice satisfies undefined;
  }
}

/** The wire takes the schema as text. */
function encodeFormat(format: Extract<ChatRequest['responseFormat'], { type: 'json-schema' }>): JsonObject {
  const { name, schema, description } = format;
  const jsonSchema = { name, schema: JSON.stringify(closedSchema(schema)), ...(description && { description }) };
  return { type: 'json_schema', structure: { jsonSchema } };
}

function hasCalls(request: ChatRequest): boolean {
  return request.messages.some(({ parts }) =>
    parts.some((part) => part.type === 'tool-call' || part.type === 'tool-result'),
  );
}

function wantsLongCache(request: ChatRequest): boolean {
  return request.messages.some(({ parts }) => parts.some((part) => 'cache' in part && part.cache?.ttl === '1h'));
}
