import { formatSse } from '../../../lib/format-sse.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { FinishReason, StreamPart } from '../../../spec/chat.ts';
import { noUsage, type Usage } from '../../../spec/usage.ts';
import type { EncodeContext, StreamEncoder } from '../dialect.ts';
import { encodeCitation, encodeFinish, encodeUsage } from './encode-answer.ts';

type Kind = 'text' | 'thinking' | 'tool_use';

/**
 * Parts as the dialect's events: message_start, then block after block (start, deltas, stop), then
 * message_delta with usage and message_stop (docs.anthropic.com/en/docs/build-with-claude/streaming).
 * A piece of a tool call that comes after the next call has begun carries the index of its own block, by
 * which the SDKs put blocks together.
 */
export function createStreamEncoder({ route }: EncodeContext): StreamEncoder {
  let index = -1;
  let open: Kind | undefined;
  let usage: Usage = noUsage();
  let finish: FinishReason = 'stop';
  const blockOfTool = new Map<number, number>();

  const event = (type: string, more: JsonObject): string =>
    formatSse({ event: type, data: JSON.stringify({ type, ...more }) });
  const delta = (piece: JsonObject, block = index): string =>
    event('content_block_delta', { index: block, delta: piece });

  function close(): string {
    if (open === undefined) return '';
    open = undefined;
    return event('content_block_stop', { index });
  }

  function begin(kind: Kind, block: JsonObject): string {
    const closed = close();
    index++;
    open = kind;
    return closed + event('content_block_start', { index, content_block: block });
  }

  function within(kind: 'text' | 'thinking'): string {
    if (open === kind) return '';
    return begin(
      kind,
      kind === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '', signature: '' },
    );
  }

  function encodeReasoning(text: string, signature: string | undefined): string {
    const begun = within('thinking') + (text === '' ? '' : delta({ type: 'thinking_delta', thinking: text }));
    // A signature seals its block: what is thought after it belongs into another one.
    return signature === undefined ? begun : begun + delta({ type: 'signature_delta', signature }) + close();
  }

  function encode(part: StreamPart): string {
    switch (part.type) {
      case 'start':
        return event('message_start', {
          message: {
            id: part.id,
            type: 'message',
            role: 'assistant',
            model: part.model === '' ? route : part.model,
            content: [],
            stop_reason: null,
            stop_sequence: null,
            usage: encodeUsage(noUsage()),
          },
        });
      case 'text':
        return within('text') + delta({ type: 'text_delta', text: part.text });
      case 'reasoning':
        return encodeReasoning(part.text, part.signature);
      case 'tool-call-start': {
        const begun = begin('tool_use', { type: 'tool_use', id: part.id, name: part.name, input: {} });
        blockOfTool.set(part.index, index);
        return begun;
      }
      case 'tool-call-delta':
        return delta({ type: 'input_json_delta', partial_json: part.arguments }, blockOfTool.get(part.index));
      case 'citations':
        return (
          within('text') +
          part.citations
            .map((each, at) => delta({ type: 'citations_delta', citation: encodeCitation(each, at) }))
            .join('')
        );
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
  }

  return {
    encode,
    end: () =>
      close() +
      event('message_delta', {
        delta: { stop_reason: encodeFinish(finish), stop_sequence: null },
        usage: encodeUsage(usage),
      }) +
      event('message_stop', {}),
  };
}
