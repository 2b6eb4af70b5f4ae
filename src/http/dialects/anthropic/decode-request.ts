import { isJsonObject, numberAt, objectAt, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { ChatRequest, Message, ToolChoice, ToolDefinition } from '../../../spec/chat.ts';
import { pinOf } from '../pins.ts';
import { optionalList, optionalNumber, requireObject, requireString, wrong } from '../read-request.ts';
import { cacheOf, decodeContent } from './decode-content.ts';

/** Fields with a word in the vocabulary, or that only say how to answer. Everything else travels as `extra`. */
const KNOWN = new Set([
  'model',
  'messages',
  'system',
  'stream',
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop_sequences',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'metadata',
  'cache_control',
]);

/** A messages request (docs.anthropic.com/en/api/messages) in the vocabulary. */
export function decodeChatRequest(json: JsonObject): ChatRequest {
  const maxOutputTokens = optionalNumber(json, 'max_tokens');
  const temperature = optionalNumber(json, 'temperature');
  const topP = optionalNumber(json, 'top_p');
  const topK = optionalNumber(json, 'top_k');
  const stop = optionalList(json['stop_sequences'], 'stop_sequences').map(String);
  const tools = optionalList(json['tools'], 'tools').map(decodeTool);
  const endUser = stringAt(objectAt(json, 'metadata') ?? {}, 'user_id');
  const extra = Object.entries(json).filter(
    (field): field is [string, JsonValue] => !KNOWN.has(field[0]) && field[1] !== undefined && field[1] !== null,
  );
  return {
    messages: [...decodeSystem(json['system']), ...optionalList(json['messages'], 'messages').map(decodeMessage)],
    ...(tools.length > 0 && { tools }),
    ...decodeToolChoice(json['tool_choice']),
    ...decodeFormat(json),
    ...decodeReasoning(json),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(stop.length > 0 && { stop }),
    ...(endUser !== undefined && { endUser }),
    ...(extra.length > 0 && { extra: Object.fromEntries(extra) }),
  };
}

function decodeSystem(system: JsonValue | undefined): Message[] {
  if (system === undefined || system === null) return [];
  const parts = decodeContent(system, 'system');
  return parts.length === 0 ? [] : [{ role: 'system', parts }];
}

function decodeMessage(value: JsonValue, index: number): Message {
  const at = `messages[${index}]`;
  const message = requireObject(value, at);
  const role = requireString(message['role'], `${at}.role`);
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw wrong(`${at}.role`, `"${role.slice(0, 40)}" is none of user, assistant, system`);
  }
  return { role, parts: decodeContent(message['content'], `${at}.content`), ...pinOf(message) };
}

/** The vendor's own tools (web search, computer use) carry a type and no schema; nobody else can run them. */
function decodeTool(value: JsonValue, index: number): ToolDefinition {
  const at = `tools[${index}]`;
  const tool = requireObject(value, at);
  const type = stringAt(tool, 'type');
  if (type !== undefined && type !== 'custom')
    throw wrong(`${at}.type`, `"${type.slice(0, 60)}" runs only at its vendor`);
  const description = stringAt(tool, 'description');
  return {
    name: requireString(tool['name'], `${at}.name`),
    ...(description !== undefined && { description }),
    parameters: requireObject(tool['input_schema'], `${at}.input_schema`),
    ...(typeof tool['strict'] === 'boolean' && { strict: tool['strict'] }),
    ...cacheOf(tool),
  };
}

function decodeToolChoice(value: JsonValue | undefined): { toolChoice?: ToolChoice; parallelToolCalls?: boolean } {
  if (value === undefined || value === null) return {};
  const choice = requireObject(value, 'tool_choice');
  const serial = choice['disable_parallel_tool_use'] === true ? { parallelToolCalls: false } : {};
  switch (choice['type']) {
    case 'auto':
    case 'none':
      return { toolChoice: { type: choice['type'] }, ...serial };
    case 'any':
      return { toolChoice: { type: 'required' }, ...serial };
    case 'tool':
      return { toolChoice: { type: 'tool', name: requireString(choice['name'], 'tool_choice.name') }, ...serial };
    default:
      throw wrong('tool_choice.type', 'must be auto, any, tool or none');
  }
}

function decodeFormat(json: JsonObject): Pick<ChatRequest, 'responseFormat'> {
  const format = objectAt(objectAt(json, 'output_config') ?? {}, 'format');
  if (format === undefined) return {};
  if (format['type'] !== 'json_schema') throw wrong('output_config.format.type', 'must be json_schema');
  const schema = requireObject(format['schema'], 'output_config.format.schema');
  return { responseFormat: { type: 'json-schema', name: 'answer', schema } };
}

function decodeReasoning(json: JsonObject): Pick<ChatRequest, 'reasoning'> {
  const effort = stringAt(objectAt(json, 'output_config') ?? {}, 'effort');
  const thinking = json['thinking'];
  const given = isJsonObject(thinking) ? thinking : {};
  if (given['type'] === 'disabled') return { reasoning: { effort: 'none' } };
  const budgetTokens = given['type'] === 'enabled' ? numberAt(given, 'budget_tokens') : undefined;
  if (effort !== undefined) return { reasoning: { effort, ...(budgetTokens !== undefined && { budgetTokens }) } };
  if (budgetTokens !== undefined) return { reasoning: { budgetTokens } };
  return given['type'] === 'adaptive' ? { reasoning: { effort: 'medium' } } : {};
}
