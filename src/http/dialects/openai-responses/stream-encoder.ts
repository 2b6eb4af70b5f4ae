import { formatSse } from '../../../lib/format-sse.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { FinishReason, StreamPart } from '../../../spec/chat.ts';
import type { SekishoError } from '../../../spec/errors.ts';
import { noUsage } from '../../../spec/usage.ts';
import type { EncodeContext, StreamEncoder } from '../dialect.ts';
import { finishedResponse, incompleteReason, responseHead, responseKey } from './encode-answer.ts';
import { createCall, createMessage, createReasoning, type CallItem, type OpenItem } from './open-items.ts';

/**
 * Parts as the events of a streamed response (platform.openai.com/docs/api-reference/responses-streaming).
 * Text and reasoning close when another item begins; calls stay open until the end, because the pieces of
 * parallel ones may come in turns. The event that ends a good stream holds the whole response.
 */
export function createStreamEncoder(context: EncodeContext): StreamEncoder {
  let sequence = 0;
  let key = '';
  let head: JsonObject = {};
  let begun = false;
  let usage = noUsage();
  let finish: FinishReason = 'stop';
  const items: OpenItem[] = [];
  const calls = new Map<number, CallItem>();

  const send = (type: string, fields: JsonObject): string =>
    formatSse({ event: type, data: JSON.stringify({ type, sequence_number: sequence++, ...fields }) });

  function start(part: { id: string; model: string; createdMs: number }): string {
    begun = true;
    key = responseKey(part.id);
    head = responseHead({ ...part, key }, context);
    return send('response.created', { response: head }) + send('response.in_progress', { response: head });
  }

  /** The item that text or reasoning now belongs to; one of another kind before it closes. */
  function within<K extends 'message' | 'reasoning'>(kind: K): { item: Extract<OpenItem, { kind: K }>; text: string } {
    const last = items.at(-1);
    if (last !== undefined && isOpen(last, kind)) return { item: last, text: '' };
    const closed = closeLast();
    const place = { index: items.length, id: `${key}_${items.length}`, send };
    const made = kind === 'message' ? createMessage(place) : createReasoning(place);
    items.push(made.item);
    if (!isOpen(made.item, kind)) throw new Error('an item of another kind');
    return { item: made.item, text: closed + made.text };
  }

  function closeLast(): string {
    const last = items.at(-1);
    return last === undefined || last.kind === 'call' ? '' : last.close('completed');
  }

  function startCall(part: Extract<StreamPart, { type: 'tool-call-start' }>): string {
    const closed = closeLast();
    const place = { index: items.length, id: `${key}_${items.length}`, send };
    const made = createCall(place, { callId: part.id, name: part.name });
    items.push(made.item);
    calls.set(part.index, made.item);
    return closed + made.text;
  }

  function encode(part: StreamPart): string {
    switch (part.type) {
      case 'start':
        return start(part);
      case 'text': {
        const { item, text } = within('message');
        return text + item.add(part.text);
      }
      case 'reasoning': {
        const { item, text } = within('reasoning');
        const added = text + item.add(part.text);
        // A signature seals its item: what is thought after it belongs into another one.
        return part.signature === undefined ? added : added + item.seal(part.signature);
      }
      case 'tool-call-start':
        return startCall(part);
      case 'tool-call-delta':
        return calls.get(part.index)?.add(part.arguments) ?? '';
      case 'citations': {
        const { item, text } = within('message');
        return text + item.cite(part.citations);
      }
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

  const closeAll = (status: string): string => items.map((item) => item.close(status)).join('');
  const output = (): JsonObject[] => items.map((item) => item.whole());

  return {
    encode: (part) =>
      (begun || part.type === 'start' ? '' : start({ id: '', model: '', createdMs: Date.now() })) + encode(part),
    end: () => {
      const cut = incompleteReason(finish) !== undefined;
      const closed = closeAll(cut ? 'incomplete' : 'completed');
      const response = finishedResponse(head, { output: output(), finish, usage });
      return closed + send(cut ? 'response.incomplete' : 'response.completed', { response });
    },
    /** The response as far as it came, and what broke it off. */
    fail: (error: SekishoError, message: string) => {
      if (!begun) return '';
      const failed = { code: error.code, message };
      return send('response.failed', { response: { ...head, status: 'failed', error: failed, output: output() } });
    },
  };
}

function isOpen<K extends OpenItem['kind']>(item: OpenItem, kind: K): item is Extract<OpenItem, { kind: K }> {
  return item.kind === kind && !item.closed();
}
