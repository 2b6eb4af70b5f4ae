import type { JsonObject } from '../../../lib/json.ts';
import { isJsonObject } from '../../../lib/json.ts';
import { formatSse } from '../../../lib/format-sse.ts';
import type { ChatResult, ContentPart, FinishReason, StreamPart } from '../../../spec/chat.ts';
import type { Citation } from '../../../spec/citation.ts';
import type { Usage } from '../../../spec/usage.ts';
import type { EncodeContext, StreamEncoder } from '../dialect.ts';

/** Usage in the words of the OpenAI dialect. */
export function encodeUsage(usage: Usage): JsonObject {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedInputTokens,
      ...(usage.cacheWriteTokens > 0 && { cache_write_tokens: usage.cacheWriteTokens }),
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

/** A chat completion (platform.openai.com/docs/api-reference/chat/object). */
export function encodeChatResult(result: ChatResult, { route }: EncodeContext): JsonObject {
  const text = textOf(result.parts, 'text');
  const reasoning = textOf(result.parts, 'reasoning');
  const calls = result.parts.filter((part) => part.type === 'tool-call');
  return {
    id: result.id,
    object: 'chat.completion',
    created: Math.floor(result.createdMs / 1000),
    model: result.model === '' ? route : result.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && calls.length > 0 ? null : text,
          refusal: null,
          ...(reasoning !== '' && { reasoning_content: reasoning }),
          ...(calls.length > 0 && {
            tool_calls: calls.map((call) => ({
              id: call.id,
              type: 'function',
              function: { name: call.name, arguments: call.arguments },
            })),
          }),
          ...(result.citations && { annotations: result.citations.map(encodeCitation) }),
        },
        logprobs: null,
        finish_reason: encodeFinish(result.finish),
      },
    ],
    usage: encodeUsage(result.usage),
  };
}

/** Parts as chat completion chunks; the usage chunk goes out only where the caller asked for it. */
export function createStreamEncoder({ route, request }: EncodeContext): StreamEncoder {
  const options = request['stream_options'];
  const wantsUsage = isJsonObject(options) && options['include_usage'] === true;
  let head: JsonObject = { id: '', object: 'chat.completion.chunk', created: 0, model: route };
  let usage: Usage | undefined;

  const chunk = (delta: JsonObject, finish: string | null = null): string =>
    formatSse({
      data: JSON.stringify({
        ...head,
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
        ...(wantsUsage && { usage: null }),
      }),
    });

  return {
    encode: (part: StreamPart): string => {
      switch (part.type) {
        case 'start':
          head = { ...head, id: part.id, created: Math.floor(part.createdMs / 1000), model: part.model || route };
          return chunk({ role: 'assistant', content: '', refusal: null });
        case 'text':
          return chunk({ content: part.text });
        case 'reasoning':
          return part.text === '' ? '' : chunk({ reasoning_content: part.text });
        case 'tool-call-start':
          return chunk({
            tool_calls: [
              { index: part.index, id: part.id, type: 'function', function: { name: part.name, arguments: '' } },
            ],
          });
        case 'tool-call-delta':
          return chunk({ tool_calls: [{ index: part.index, function: { arguments: part.arguments } }] });
        case 'citations':
          return chunk({ annotations: part.citations.map(encodeCitation) });
        case 'usage':
          usage = part.usage;
          return '';
        case 'finish':
          return chunk({}, encodeFinish(part.finish));
        case 'error':
          return '';
        default:
          return part satisfies never;
      }
    },
    end: () => {
      const counted =
        wantsUsage && usage !== undefined
          ? formatSse({ data: JSON.stringify({ ...head, choices: [], usage: encodeUsage(usage) }) })
          : '';
      return `${counted}data: [DONE]\n\n`;
    },
  };
}

/**
 * A citation as an annotation. Clients that check what they read (the `ai` SDK) know `url_citation` only, so
 * the document is given an address of its own; our fields, with the span in the document, stand beside.
 */
function encodeCitation(citation: Citation): JsonObject {
  return {
    type: 'url_citation',
    url_citation: {
      start_index: citation.answer_start ?? 0,
      end_index: citation.answer_end ?? 0,
      title: citation.title ?? citation.document_id,
      url: `sekisho://documents/${encodeURIComponent(citation.document_id)}`,
    },
    ...citation,
  };
}

function encodeFinish(finish: FinishReason): string {
  const words = {
    'tool-calls': 'tool_calls',
    'content-filter': 'content_filter',
    stop: 'stop',
    length: 'length',
    other: 'stop',
  };
  return words[finish];
}

function textOf(parts: readonly ContentPart[], type: 'text' | 'reasoning'): string {
  return parts.map((part) => (part.type === type ? part.text : '')).join('');
}
