import { formatSse } from '../../../lib/format-sse.ts';
import { isJsonObject, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { ChatRequest, ChatResult, FinishReason, StreamPart } from '../../../spec/chat.ts';
import type { Usage } from '../../../spec/usage.ts';
import type { ChatDialect, EncodeContext, StreamEncoder } from '../dialect.ts';
import { encodeUsage } from '../openai/encode-answer.ts';
import { openAiDialect } from '../openai/openai-dialect.ts';
import { optionalList, optionalNumber, wrong } from '../read-request.ts';

const MAX_PROMPTS = 2_048;
const MAX_ANSWERS = 16;

/** Fields with a word in the vocabulary, or that only say how to answer. */
const KNOWN = new Set([
  'model',
  'prompt',
  'stream',
  'stream_options',
  'max_tokens',
  'temperature',
  'top_p',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'user',
]);

/** Values that ask for what happens anyway. */
const DEFAULTS: Readonly<Record<string, JsonValue>> = { n: 1, best_of: 1, echo: false, suffix: '' };

/** Fields that mean something else, or nothing, in a chat: named so that nobody takes them for the chat's own. */
const OWN = new Set(['n', 'best_of', 'echo', 'suffix', 'logprobs']);

/** The dialect of OpenAI's completions, from before there were chats (platform.openai.com/docs/api-reference/completions). */
export const completionsDialect: ChatDialect = {
  wire: 'openai-completions',
  check: (json) => {
    const { model, prompt, stream, n } = json;
    if (typeof model !== 'string' || model === '') throw wrong('model', 'a model name is required');
    if (model.length > 256) throw wrong('model', 'longer than 256 characters');
    const list = Array.isArray(prompt) ? prompt : [prompt];
    const isPrompt = (each: JsonValue | undefined): boolean =>
      typeof each === 'string' || typeof each === 'number' || Array.isArray(each);
    if (list.length === 0 || !list.every(isPrompt)) throw wrong('prompt', 'a text or a list of texts is required');
    if (typeof list[0] === 'string' && list.length > MAX_PROMPTS) throw wrong('prompt', `more than ${MAX_PROMPTS}`);
    if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
      throw wrong('stream', 'must be true or false');
    }
    for (const [name, given] of Object.entries({ n, best_of: json['best_of'] })) {
      const fits = typeof given === 'number' && Number.isInteger(given) && given >= 1 && given <= MAX_ANSWERS;
      if (given !== undefined && given !== null && !fits) {
        throw wrong(name, `must be a whole number from 1 to ${MAX_ANSWERS}`);
      }
    }
    const endUser = stringAt(json, 'user');
    return { route: model, stream: stream === true, ...(endUser !== undefined && { endUser }) };
  },
  decode,
  encodeResult,
  streamEncoder: createStreamEncoder,
  encodeError: openAiDialect.encodeError,
  encodeStreamError: openAiDialect.encodeStreamError,
};

/** A prompt as the one message of a chat. What a chat cannot do goes to `extra`. */
function decode(json: JsonObject): ChatRequest {
  const extra = new Map<string, JsonValue>();
  for (const [name, value] of Object.entries(json)) {
    const idle = value === undefined || value === null || value === DEFAULTS[name];
    if (!KNOWN.has(name) && !idle) extra.set(OWN.has(name) ? `${name} of completions` : name, value);
  }
  const prompts = Array.isArray(json['prompt']) ? json['prompt'] : [json['prompt'] ?? ''];
  const [prompt] = prompts;
  if (typeof prompt !== 'string') extra.set('prompt of tokens', true);
  else if (prompts.length > 1) extra.set('more than one prompt', true);
  const text = typeof prompt === 'string' ? prompt : '';
  const maxOutputTokens = optionalNumber(json, 'max_tokens');
  const temperature = optionalNumber(json, 'temperature');
  const topP = optionalNumber(json, 'top_p');
  const seed = optionalNumber(json, 'seed');
  const presencePenalty = optionalNumber(json, 'presence_penalty');
  const frequencyPenalty = optionalNumber(json, 'frequency_penalty');
  const stop = typeof json['stop'] === 'string' ? [json['stop']] : optionalList(json['stop'], 'stop').map(String);
  const endUser = stringAt(json, 'user');
  return {
    messages: [{ role: 'user', parts: [{ type: 'text', text }] }],
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(stop.length > 0 && { stop }),
    ...(seed !== undefined && { seed }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(endUser !== undefined && { endUser }),
    ...(extra.size > 0 && { extra: Object.fromEntries(extra) }),
  };
}

function encodeResult(result: ChatResult, { route }: EncodeContext): JsonObject {
  const text = result.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
  return {
    id: result.id,
    object: 'text_completion',
    created: Math.floor(result.createdMs / 1000),
    model: result.model === '' ? route : result.model,
    choices: [choice(text, encodeFinish(result.finish))],
    usage: encodeUsage(result.usage),
  };
}

/** Parts as chunks; reasoning has no place in them and is left out. */
function createStreamEncoder({ route, request }: EncodeContext): StreamEncoder {
  const options = request['stream_options'];
  const wantsUsage = isJsonObject(options) && options['include_usage'] === true;
  let head: JsonObject = { id: '', object: 'text_completion', created: 0, model: route };
  let usage: Usage | undefined;
  const chunk = (choices: JsonObject[], more: JsonObject = wantsUsage ? { usage: null } : {}): string =>
    formatSse({ data: JSON.stringify({ ...head, choices, ...more }) });
  return {
    encode: (part: StreamPart): string => {
      switch (part.type) {
        case 'start':
          head = { ...head, id: part.id, created: Math.floor(part.createdMs / 1000), model: part.model || route };
          return '';
        case 'text':
          return chunk([choice(part.text, null)]);
        case 'usage':
          usage = part.usage;
          return '';
        case 'finish':
          return chunk([choice('', encodeFinish(part.finish))]);
        case 'reasoning':
        case 'tool-call-start':
        case 'tool-call-delta':
        case 'citations':
        case 'error':
          return '';
        default:
          return part satisfies never;
      }
    },
    end: () => {
      const counted = wantsUsage && usage !== undefined ? chunk([], { usage: encodeUsage(usage) }) : '';
      return `${counted}data: [DONE]\n\n`;
    },
  };
}

function choice(text: string, finish: string | null): JsonObject {
  return { text, index: 0, logprobs: null, finish_reason: finish };
}

function encodeFinish(finish: FinishReason): string {
  if (finish === 'content-filter') return 'content_filter';
  return finish === 'length' ? 'length' : 'stop';
}
