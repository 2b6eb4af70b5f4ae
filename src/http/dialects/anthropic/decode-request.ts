import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { CacheMarker, ChatRequest, ContentPart, Message, ToolChoice, ToolDefinition } from '../../../spec/chat.ts';
import { optionalList, optionalNumber, requireObject, requireString, wrong } from '../read-request.ts';

const KNOWN = new Set([
  'model', 'messages', 'system', 'stream', 'tools', 'tool_choice', 'max_tokens', 'temperature', 'top_p', 'top_k',
  'stop_sequences', 'thinking', 'metadata', 'output_config', 'output_format',
]);

/** A messages request (docs.anthropic.com/en/api/messages) in the vocabulary. */
export function decodeMessagesRequest(json: JsonObject): ChatRequest {
  const maxOutputTokens = optionalNumber(json, 'max_tokens');
  if (maxOutputTokens === undefined) throw wrong('max_tokens', 'is required');
  const temperature = optionalNumber(json, 'temperature');
  const topP = optionalNumber(json, 'top_p');
  const topK = optionalNumber(json, 'top_k');
  const system = json['system'] === undefined ? [] : decodeContent(json['system'], 'system');
  const tools = optionalList(json['tools'], 'tools').map(decodeTool);
  const stop = optionalList(json['stop_sequences'], 'stop_sequences').map(String);
  const budgetTokens = numberAt(objectAt(json, 'thinking') ?? {}, 'budget_tokens');
  const endUser = stringAt(objectAt(json, 'metadata') ?? {}, 'user_id');
  const format = objectAt(objectAt(json, 'output_config') ?? {}, 'format') ?? objectAt(json, 'output_format');
  const schema = format === undefined ? undefined : objectAt(format, 'schema');
  const extra = Object.entries(json).filter(
    (field): field is [string, JsonValue] => !KNOWN.has(field[0]) && field[1] !== undefined && field[1] !== null,
  );
  const messages: Message[] = system.length > 0 ? [{ role: 'system', parts: system }] : [];
  return {
    messages: [...messages, ...arrayAt(json, 'messages').map(decodeMessage)],
    maxOutputTokens,
    ...(tools.length > 0 && { tools }),
    ...decodeToolChoice(objectAt(json, 'tool_choice')),
    ...(schema && { responseFormat: { type: 'json-schema', name: 'answer', schema, strict: true } }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(topK !== undefined && { topK }),
    ...(stop.length > 0 && { stop }),
    ...(budgetTokens !== undefined && { reasoning: { budgetTokens } }),
    ...(endUser !== undefined && { endUser }),
    ...(extra.length > 0 && { extra: Object.fromEntries(extra) }),
  };
}

function decodeMessage(value: JsonValue, index: number): Message {
  const at = `messages.${index}`;
  const message = requireObject(value, at);
  const role = message['role'];
  if (role !== 'user' && role !== 'assistant') throw wrong(`${at}.role`, 'must be user or assistant');
  return { role, parts: decodeContent(message['content'], `${at}.content`) };
}

function decodeContent(content: JsonValue | undefined, at: string): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(at, 'must be a string or a list of blocks');
  return content.map((value, index) => decodeBlock(requireObject(value, `${at}.${index}`), `${at}.${index}`));
}

function decodeBlock(block: JsonObject, at: string): ContentPart {
  const type = requireString(block['type'], `${at}.type`);
  const cache = cacheOf(block);
  switch (type) {
    case 'text':
      return { type: 'text', text: requireString(block['text'], `${at}.text`), ...cache };
    case 'image': {
      const source = requireObject(block['source'], `${at}.source`);
      if (source['type'] === 'url') return { type: 'image', url: requireString(source['url'], `${at}.source.url`), ...cache };
      const media = requireString(source['media_type'], `${at}.source.media_type`);
      return { type: 'image', url: `data:${media};base64,${requireString(source['data'], `${at}.source.data`)}`, ...cache };
    }
    case 'document': {
      const source = requireObject(block['source'], `${at}.source`);
      const data = requireString(source['data'], `${at}.source.data`);
      if (source['type'] === 'text') return { type: 'text', text: data, ...cache };
      const name = stringAt(block, 'title');
      const mediaType = requireString(source['media_type'], `${at}.source.media_type`);
      return { type: 'file', data, mediaType, ...(name !== undefined && { name }), ...cache };
    }
    case 'thinking': {
      const signature = stringAt(block, 'signature');
      const text = requireString(block['thinking'], `${at}.thinking`);
      return { type: 'reasoning', text, ...(signature !== undefined && { signature }) };
    }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', redacted: requireString(block['data'], `${at}.data`) };
    case 'tool_use':
      return {
        type: 'tool-call',
        id: requireString(block['id'], `${at}.id`),
        name: requireString(block['name'], `${at}.name`),
        arguments: JSON.stringify(block['input'] ?? {}),
      };
    case 'tool_result':
      return {
        type: 'tool-result',
        id: requireString(block['tool_use_id'], `${at}.tool_use_id`),
        content: block['content'] === undefined ? [] : decodeContent(block['content'], `${at}.content`),
        ...(block['is_error'] === true && { isError: true }),
      };
    default:
      throw wrong(`${at}.type`, `"${type.slice(0, 40)}" is not a known block`);
  }
}

function decodeTool(value: JsonValue, index: number): ToolDefinition {
  const at = `tools.${index}`;
  const tool = requireObject(value, at);
  const description = stringAt(tool, 'description');
  return {
    name: requireString(tool['name'], `${at}.name`),
    ...(description !== undefined && { description }),
    parameters: requireObject(tool['input_schema'], `${at}.input_schema`),
    ...cacheOf(tool),
  };
}

function decodeToolChoice(choice: JsonObject | undefined): { toolChoice?: ToolChoice; parallelToolCalls?: boolean } {
  if (choice === undefined) return {};
  const alone = choice['disable_parallel_tool_use'] === true ? { parallelToolCalls: false } : {};
  const type = choice['type'];
  if (type === 'tool') return { toolChoice: { type: 'tool', name: requireString(choice['name'], 'tool_choice.name') }, ...alone };
  if (type !== 'auto' && type !== 'any' && type !== 'none') throw wrong('tool_choice.type', 'must be auto, any, none or tool');
  return { toolChoice: { type: type === 'any' ? 'required' : type }, ...alone };
}

function cacheOf(block: JsonObject): { cache?: CacheMarker } {
  const marker = block['cache_control'];
  if (!isJsonObject(marker)) return {};
  const ttl = stringAt(marker, 'ttl');
  return { cache: ttl === undefined ? {} : { ttl } };
}
