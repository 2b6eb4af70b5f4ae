import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type {
  ChatRequest,
  ContentPart,
  Message,
  PassageInput,
  ResponseFormat,
  ToolChoice,
  ToolDefinition,
} from '../../../spec/chat.ts';
import { pinOf } from '../pins.ts';
import { optionalList, optionalNumber, requireObject, requireString, wrong } from '../read-request.ts';

/** Fields with a word in the vocabulary, or that only say how to answer. Everything else travels as `extra`. */
const KNOWN = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'response_format',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'reasoning_effort',
  'user',
  'documents',
  'functions',
  'function_call',
]);

/** A chat completions request (platform.openai.com/docs/api-reference/chat/create) in the vocabulary. */
export function decodeChatRequest(json: JsonObject): ChatRequest {
  if (json['functions'] !== undefined || json['function_call'] !== undefined) {
    throw wrong('functions', 'is the old form of tools; send tools');
  }
  const maxOutputTokens = optionalNumber(json, 'max_completion_tokens') ?? optionalNumber(json, 'max_tokens');
  const temperature = optionalNumber(json, 'temperature');
  const topP = optionalNumber(json, 'top_p');
  const seed = optionalNumber(json, 'seed');
  const presencePenalty = optionalNumber(json, 'presence_penalty');
  const frequencyPenalty = optionalNumber(json, 'frequency_penalty');
  const tools = optionalList(json['tools'], 'tools').map(decodeTool);
  const effort = stringAt(json, 'reasoning_effort');
  const endUser = stringAt(json, 'user');
  const stop = typeof json['stop'] === 'string' ? [json['stop']] : optionalList(json['stop'], 'stop').map(String);
  const extra = Object.entries(json).filter(
    (field): field is [string, JsonValue] =>
      !KNOWN.has(field[0]) && field[1] !== undefined && field[1] !== null && !isDefault(...field),
  );
  const passages = optionalList(json['documents'], 'documents').map(decodePassage);
  return {
    messages: decodeMessages(arrayAt(json, 'messages')),
    ...(tools.length > 0 && { tools }),
    ...decodeToolChoice(json['tool_choice']),
    ...(typeof json['parallel_tool_calls'] === 'boolean' && { parallelToolCalls: json['parallel_tool_calls'] }),
    ...decodeFormat(objectAt(json, 'response_format')),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(stop.length > 0 && { stop }),
    ...(seed !== undefined && { seed }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(effort !== undefined && { reasoning: { effort } }),
    ...(endUser !== undefined && { endUser }),
    ...(passages.length > 0 && { passages }),
    ...(extra.length > 0 && { extra: Object.fromEntries(extra) }),
  };
}

/** Values that ask for what happens anyway need not be carried. */
function isDefault(name: string, value: JsonValue | undefined): boolean {
  return (
    (name === 'n' && value === 1) || (name === 'logprobs' && value === false) || (name === 'store' && value === false)
  );
}

function decodeMessages(messages: readonly JsonValue[]): Message[] {
  const decoded: Message[] = [];
  messages.forEach((value, index) => {
    const at = `messages[${index}]`;
    const message = requireObject(value, at);
    const role = requireString(message['role'], `${at}.role`);
    const name = stringAt(message, 'name');
    const named = { ...(name !== undefined && { name }), ...pinOf(message) };
    if (role === 'system' || role === 'developer') {
      decoded.push({ role: 'system', ...named, parts: decodeContent(message['content'], `${at}.content`) });
    } else if (role === 'user') {
      decoded.push({ role: 'user', ...named, parts: decodeContent(message['content'], `${at}.content`) });
    } else if (role === 'assistant') {
      decoded.push({ role: 'assistant', ...named, parts: decodeAssistant(message, at) });
    } else if (role === 'tool') {
      const part: ContentPart = {
        type: 'tool-result',
        id: requireString(message['tool_call_id'], `${at}.tool_call_id`),
        content: decodeContent(message['content'], `${at}.content`),
      };
      // The results of parallel calls belong into one turn.
      const last = decoded.at(-1);
      if (last?.role === 'user' && last.parts.every((each) => each.type === 'tool-result')) {
        last.parts.push(part);
        Object.assign(last, pinOf(message));
      } else decoded.push({ role: 'user', parts: [part], ...pinOf(message) });
    } else {
      throw wrong(`${at}.role`, `"${role.slice(0, 40)}" is none of system, developer, user, assistant, tool`);
    }
  });
  return decoded;
}

function decodeAssistant(message: JsonObject, at: string): ContentPart[] {
  const parts = decodeContent(message['content'] ?? [], `${at}.content`);
  optionalList(message['tool_calls'], `${at}.tool_calls`).forEach((value, index) => {
    const path = `${at}.tool_calls[${index}]`;
    const call = requireObject(value, path);
    const asked = requireObject(call['function'], `${path}.function`);
    parts.push({
      type: 'tool-call',
      id: requireString(call['id'], `${path}.id`),
      name: requireString(asked['name'], `${path}.function.name`),
      arguments: requireString(asked['arguments'], `${path}.function.arguments`),
    });
  });
  return parts;
}

function decodeContent(content: JsonValue | undefined, at: string): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(at, 'must be a string or a list of parts');
  return content.map((value, index): ContentPart => {
    const path = `${at}[${index}]`;
    const part = requireObject(value, path);
    const type = requireString(part['type'], `${path}.type`);
    const cache = isJsonObject(part['cache_control']) ? { cache: {} } : {};
    switch (type) {
      case 'text':
      case 'refusal':
        return { type: 'text', text: requireString(part['text'] ?? part['refusal'], `${path}.${type}`), ...cache };
      case 'image_url': {
        const image = requireObject(part['image_url'], `${path}.image_url`);
        const detail = stringAt(image, 'detail');
        const url = requireString(image['url'], `${path}.image_url.url`);
        return { type: 'image', url, ...(detail !== undefined && { detail }), ...cache };
      }
      case 'input_audio': {
        const audio = requireObject(part['input_audio'], `${path}.input_audio`);
        const format = requireString(audio['format'], `${path}.input_audio.format`);
        return { type: 'audio', data: requireString(audio['data'], `${path}.input_audio.data`), format };
      }
      case 'file': {
        const file = requireObject(part['file'], `${path}.file`);
        const data = /^data:([^;,]+);base64,(.+)$/s.exec(requireString(file['file_data'], `${path}.file.file_data`));
        if (data === null) throw wrong(`${path}.file.file_data`, 'must be a data URL in base64');
        const name = stringAt(file, 'filename');
        return { type: 'file', mediaType: data[1] ?? '', data: data[2] ?? '', ...(name !== undefined && { name }) };
      }
      default:
        throw wrong(`${path}.type`, `"${type.slice(0, 40)}" is not a known part`);
    }
  });
}

function decodeTool(value: JsonValue, index: number): ToolDefinition {
  const at = `tools[${index}]`;
  const tool = requireObject(value, at);
  if (tool['type'] !== 'function') throw wrong(`${at}.type`, 'must be "function"');
  const asked = requireObject(tool['function'], `${at}.function`);
  const description = stringAt(asked, 'description');
  return {
    name: requireString(asked['name'], `${at}.function.name`),
    ...(description !== undefined && { description }),
    parameters: objectAt(asked, 'parameters') ?? { type: 'object', properties: {} },
    ...(typeof asked['strict'] === 'boolean' && { strict: asked['strict'] }),
  };
}

function decodeToolChoice(choice: JsonValue | undefined): { toolChoice?: ToolChoice } {
  if (choice === undefined || choice === null) return {};
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { toolChoice: { type: choice } };
  const asked = objectAt(requireObject(choice, 'tool_choice'), 'function') ?? {};
  return { toolChoice: { type: 'tool', name: requireString(asked['name'], 'tool_choice.function.name') } };
}

function decodeFormat(format: JsonObject | undefined): { responseFormat?: ResponseFormat } {
  if (format === undefined || format['type'] === 'text') return {};
  if (format['type'] === 'json_object') return { responseFormat: { type: 'json' } };
  if (format['type'] !== 'json_schema') throw wrong('response_format.type', 'must be text, json_object or json_schema');
  const given = requireObject(format['json_schema'], 'response_format.json_schema');
  const description = stringAt(given, 'description');
  return {
    responseFormat: {
      type: 'json-schema',
      name: stringAt(given, 'name') ?? 'answer',
      schema: requireObject(given['schema'], 'response_format.json_schema.schema'),
      ...(typeof given['strict'] === 'boolean' && { strict: given['strict'] }),
      ...(description !== undefined && { description }),
    },
  };
}

/** Documents that travel with a question, for models that answer from them: `{id?, title?, text | content}`. */
function decodePassage(value: JsonValue, index: number): PassageInput {
  const at = `documents[${index}]`;
  const passage = requireObject(value, at);
  const title = stringAt(passage, 'title');
  return {
    id: stringAt(passage, 'id') ?? String(index),
    ...(title !== undefined && { title }),
    content: requireString(passage['content'] ?? passage['text'], `${at}.content`),
  };
}
