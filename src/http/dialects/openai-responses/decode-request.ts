import {
  arrayAt,
  isJsonObject,
  numberAt,
  objectAt,
  stringAt,
  type JsonObject,
  type JsonValue,
} from '../../../lib/json.ts';
import type { ChatRequest, Message, ResponseFormat, ToolChoice, ToolDefinition } from '../../../spec/chat.ts';
import { optionalList, optionalNumber, requireObject, requireString, wrong } from '../read-request.ts';
import type { Unknown } from './decode-content.ts';
import { decodeInput } from './decode-input.ts';

/**
 * Fields with a word in the vocabulary, or that change nothing about the answer: `store` asks the vendor to keep
 * it, which nobody else does; `metadata` is only handed back; `reasoning.summary` and `include` ask for what
 * comes anyway.
 */
const KNOWN = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'stream_options',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'max_output_tokens',
  'temperature',
  'top_p',
  'metadata',
  'store',
  'user',
  'include',
]);

/** Values that ask for what happens anyway need not be carried. */
const DEFAULTS: Readonly<Record<string, JsonValue>> = {
  background: false,
  truncation: 'disabled',
  service_tier: 'auto',
  top_logprobs: 0,
};

/**
 * A request to create a response (platform.openai.com/docs/api-reference/responses/create) in the vocabulary.
 * What only the vendor can do (its hosted tools, what it keeps between calls) goes to `extra`, by names that
 * say where it stood.
 */
export function decodeResponsesRequest(json: JsonObject): ChatRequest {
  const unknown: Unknown = new Map();
  for (const [name, value] of Object.entries(json)) {
    const idle = value === undefined || value === null || value === DEFAULTS[name];
    if (!KNOWN.has(name) && !idle) unknown.set(name, value);
  }
  const messages = [...decodeInstructions(json['instructions']), ...decodeInput(json['input'], unknown)];
  const tools = optionalList(json['tools'], 'tools').flatMap((value, index) => decodeTool(value, index, unknown));
  const text = objectAt(json, 'text') ?? {};
  const verbosity = stringAt(text, 'verbosity');
  if (verbosity !== undefined && verbosity !== 'medium') unknown.set('verbosity', verbosity);
  for (const wish of arrayAt(json, 'include')) {
    if (wish !== 'reasoning.encrypted_content') unknown.set(`include of ${JSON.stringify(wish).slice(0, 60)}`, wish);
  }
  const maxOutputTokens = optionalNumber(json, 'max_output_tokens');
  const temperature = optionalNumber(json, 'temperature');
  const topP = optionalNumber(json, 'top_p');
  const endUser = stringAt(json, 'user');
  const effort = stringAt(objectAt(json, 'reasoning') ?? {}, 'effort');
  const toolChoice = decodeToolChoice(json['tool_choice'], unknown);
  return {
    messages,
    ...(tools.length > 0 && { tools }),
    ...(toolChoice !== undefined && { toolChoice }),
    ...(typeof json['parallel_tool_calls'] === 'boolean' && { parallelToolCalls: json['parallel_tool_calls'] }),
    ...decodeFormat(objectAt(text, 'format')),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(effort !== undefined && { reasoning: { effort } }),
    ...(endUser !== undefined && { endUser }),
    ...(unknown.size > 0 && { extra: Object.fromEntries(unknown) }),
  };
}

function decodeInstructions(given: JsonValue | undefined): Message[] {
  if (given === undefined || given === null || given === '') return [];
  return [{ role: 'system', parts: [{ type: 'text', text: requireString(given, 'instructions') }] }];
}

function decodeTool(value: JsonValue, index: number, unknown: Unknown): ToolDefinition[] {
  const at = `tools[${index}]`;
  const tool = requireObject(value, at);
  const type = requireString(tool['type'], `${at}.type`);
  if (type !== 'function') {
    unknown.set(`${at} of type ${type.slice(0, 40)}`, value);
    return [];
  }
  const description = stringAt(tool, 'description');
  return [
    {
      name: requireString(tool['name'], `${at}.name`),
      ...(description !== undefined && { description }),
      parameters: objectAt(tool, 'parameters') ?? { type: 'object', properties: {} },
      ...(typeof tool['strict'] === 'boolean' && { strict: tool['strict'] }),
    },
  ];
}

function decodeToolChoice(choice: JsonValue | undefined, unknown: Unknown): ToolChoice | undefined {
  if (choice === undefined || choice === null) return undefined;
  if (choice === 'auto' || choice === 'none' || choice === 'required') return { type: choice };
  const asked = requireObject(choice, 'tool_choice');
  if (asked['type'] === 'function') return { type: 'tool', name: requireString(asked['name'], 'tool_choice.name') };
  unknown.set(`tool_choice of type ${(stringAt(asked, 'type') ?? '?').slice(0, 40)}`, choice);
  return undefined;
}

function decodeFormat(format: JsonObject | undefined): { responseFormat?: ResponseFormat } {
  if (format === undefined || format['type'] === 'text') return {};
  if (format['type'] === 'json_object') return { responseFormat: { type: 'json' } };
  if (format['type'] !== 'json_schema') throw wrong('text.format.type', 'must be text, json_object or json_schema');
  const description = stringAt(format, 'description');
  return {
    responseFormat: {
      type: 'json-schema',
      name: stringAt(format, 'name') ?? 'answer',
      schema: requireObject(format['schema'], 'text.format.schema'),
      ...(typeof format['strict'] === 'boolean' && { strict: format['strict'] }),
      ...(description !== undefined && { description }),
    },
  };
}

const MAX_ITEMS = 10_000;

/** What every call must have, whoever takes it. @throws invalid_request. */
export function checkResponsesRequest(json: JsonObject): { route: string; stream: boolean; endUser?: string } {
  const { model, input, stream, background } = json;
  if (typeof model !== 'string' || model === '') throw wrong('model', 'a model name is required');
  if (model.length > 256) throw wrong('model', 'longer than 256 characters');
  const elsewhere = ['previous_response_id', 'conversation', 'prompt'].some((name) => isGiven(json[name]));
  if (Array.isArray(input)) {
    if (input.length > MAX_ITEMS) throw wrong('input', `more than ${MAX_ITEMS} items`);
    const bad = input.findIndex((item) => !isJsonObject(item));
    if (bad !== -1) throw wrong(`input[${bad}]`, 'must be an object');
  }
  if (input === '' || (!elsewhere && (Array.isArray(input) ? input.length === 0 : typeof input !== 'string'))) {
    throw wrong('input', 'a text or a list of at least one item is required');
  }
  if (isGiven(stream) && typeof stream !== 'boolean') throw wrong('stream', 'must be true or false');
  // An answer that is made later could be neither fetched through this address nor counted.
  if (background === true) throw wrong('background', 'answers are not kept to be fetched later; ask without it');
  const limit = numberAt(json, 'max_output_tokens');
  if (limit !== undefined && limit < 1) throw wrong('max_output_tokens', 'must be at least 1');
  const endUser = stringAt(json, 'user') ?? stringAt(json, 'safety_identifier');
  return { route: model, stream: stream === true, ...(endUser !== undefined && { endUser }) };
}

function isGiven(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null;
}
