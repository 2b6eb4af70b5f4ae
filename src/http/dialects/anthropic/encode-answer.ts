import { isJsonObject, parseJson, type JsonObject } from '../../../lib/json.ts';
import { formatSse } from '../../../lib/format-sse.ts';
import type { ChatResult, ContentPart, FinishReason, StreamPart } from '../../../spec/chat.ts';
import { noUsage, type Usage } from '../../../spec/usage.ts';
import type { EncodeContext, StreamEncoder } from '../dialect.ts';

/** A message (docs.anthropic.com/en/api/messages). */
export function encodeMessage(result: ChatResult, { route }: EncodeContext): JsonObject {
  return {
    id: result.id,
    type: 'message',
    role: 'assistant',
    model: result.model === '' ? route : result.model,
    content: result.parts.flatMap(encodeBlock),
    stop_reason: encodeFinish(result.finish),
    stop_sequence: null,
    usage: encodeUsage(result.usage),
    ...(result.citations && { citations: result.citations.map((citation) => ({ ...citation })) }),
  };
}

/** Parts as the events of a message stream: blocks open and close around their deltas. */
export function createMessageEncoder({ route }: EncodeContext): StreamEncoder {
  let index = -1;
  let open: 'text' | 'thinking' | `tool ${number}` | undefined;
  let usage: Usage = noUsage();
  let finish: FinishReason = 'stop';

  const event = (type: string, fields: JsonObject): string =>
    formatSse({ event: type, data: JSON.stringify({ type, ...fields }) });
  const close = (): string => {
    if (open === undefined) return '';
    open = undefined;
    return event('content_block_stop', { index });
  };
  const inBlock = (kind: NonNullable<typeof open>, block: JsonObject): string => {
    if (open === kind) return '';
    const closed = close();
    open = kind;
    index++;
    return closed + event('content_block_start', { index, content_block: block });
  };
  const delta = (fields: JsonObject): string => event('content_block_delta', { index, delta: fields });

  return {
    encode: (part: StreamPart): string => {
      switch (part.type) {
        case 'start': {
          const message = {
            id: part.id, type: 'message', role: 'assistant', model: part.model || route, content: [],
            stop_reason: null, stop_sequence: null, usage: encodeUsage(usage),
          };
          return event('message_start', { message });
        }
        case 'text':
          return inBlock('text', { type: 'text', text: '' }) + delta({ type: 'text_delta', text: part.text });
        case 'reasoning': {
          const opened = inBlock('thinking', { type: 'thinking', thinking: '', signature: '' });
          const text = part.text === '' ? '' : delta({ type: 'thinking_delta', thinking: part.text });
          const { signature } = part;
          return opened + text + (signature === undefined ? '' : delta({ type: 'signature_delta', signature }));
        }
        case 'tool-call-start':
          return inBlock(`tool ${part.index}`, { type: 'tool_use', id: part.id, name: part.name, input: {} });
        case 'tool-call-delta':
          return delta({ type: 'input_json_delta', partial_json: part.arguments });
        case 'citations':
          return part.citations
            .map((citation) => delta({ type: 'citations_delta', citation: { type: 'sekisho_citation', ...citation } }))
            .join('');
        case 'usage':
          usage = part.usage;
          return '';
        case 'finish':
          finish = part.finish;
          return '';
        case 'error':
          return '';
        default:
          return part satisfies never;
      }
    },
    end: () =>
      close() +
      event('message_delta', {
        delta: { stop_reason: encodeFinish(finish), stop_sequence: null },
        usage: encodeUsage(usage),
      }) +
      event('message_stop', {}),
  };
}

function encodeBlock(part: ContentPart): JsonObject[] {
  switch (part.type) {
    case 'text':
      return [{ type: 'text', text: part.text, citations: null }];
    case 'reasoning':
      return part.redacted === undefined
        ? [{ type: 'thinking', thinking: part.text, signature: part.signature ?? '' }]
        : [{ type: 'redacted_thinking', data: part.redacted }];
    case 'tool-call': {
      const input = parseJson(part.arguments === '' ? '{}' : part.arguments);
      return [{ type: 'tool_use', id: part.id, name: part.name, input: isJsonObject(input) ? input : { arguments: part.arguments } }];
    }
    case 'image':
    case 'file':
    case 'audio':
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

/** Usage in the words of the dialect, where the input leaves out what the cache took part in. */
function encodeUsage(usage: Usage): JsonObject {
  return {
    input_tokens: Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens),
    output_tokens: usage.outputTokens,
    cache_read_input_tokens: usage.cachedInputTokens,
    cache_creation_input_tokens: usage.cacheWriteTokens,
  };
}

function encodeFinish(finish: FinishReason): string {
  const words = { stop: 'end_turn', length: 'max_tokens', 'tool-calls': 'tool_use', 'content-filter': 'refusal', other: 'end_turn' };
  return words[finish];
}
