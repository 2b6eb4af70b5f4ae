import type { JsonObject } from '../../../lib/json.ts';
import type { Citation } from '../../../spec/citation.ts';
import { callItem, encodeCitation, messageItem, reasoningItem, textPart } from './encode-answer.ts';
import { sealReasoning } from './sealed-reasoning.ts';

/** Where an item stands in the output, and how its events go out. */
export interface ItemPlace {
  index: number;
  /** What its id ends in. */
  id: string;
  send: (type: string, fields: JsonObject) => string;
}

interface Item {
  /** The events that end the item; empty where it has ended. */
  close(status: string): string;
  closed(): boolean;
  /** The item as it stands in the output of the whole response. */
  whole(): JsonObject;
}

export interface MessageItem extends Item {
  kind: 'message';
  add(text: string): string;
  cite(citations: readonly Citation[]): string;
}

export interface ReasoningItem extends Item {
  kind: 'reasoning';
  add(text: string): string;
  seal(signature: string): string;
}

export interface CallItem extends Item {
  kind: 'call';
  add(written: string): string;
}

export type OpenItem = MessageItem | ReasoningItem | CallItem;

/** An item and the events that begin it. */
interface Made<I extends OpenItem> {
  item: I;
  text: string;
}

const BEGUN = 'in_progress';

/** A message of one text. */
export function createMessage({ index, id, send }: ItemPlace): Made<MessageItem> {
  const itemId = `msg_${id}`;
  const at = { item_id: itemId, output_index: index, content_index: 0 };
  const annotations: JsonObject[] = [];
  let said = '';
  let status = BEGUN;
  const whole = (): JsonObject => messageItem(itemId, { status, content: [textPart(said, annotations)] });
  const item: MessageItem = {
    kind: 'message',
    whole,
    closed: () => status !== BEGUN,
    add: (text) => {
      said += text;
      return send('response.output_text.delta', { ...at, delta: text, logprobs: [] });
    },
    cite: (citations) =>
      citations
        .map((citation) => {
          const annotation = encodeCitation(citation);
          const place = annotations.push(annotation) - 1;
          return send('response.output_text.annotation.added', { ...at, annotation_index: place, annotation });
        })
        .join(''),
    close: (ending) => {
      if (status !== BEGUN) return '';
      status = ending;
      return (
        send('response.output_text.done', { ...at, text: said, logprobs: [] }) +
        send('response.content_part.done', { ...at, part: textPart(said, annotations) }) +
        send('response.output_item.done', { output_index: index, item: whole() })
      );
    },
  };
  const text =
    send('response.output_item.added', {
      output_index: index,
      item: messageItem(itemId, { status, content: [] }),
    }) + send('response.content_part.added', { ...at, part: textPart('') });
  return { item, text };
}

/** Reasoning as the one summary that the dialect shows of it. */
export function createReasoning({ index, id, send }: ItemPlace): Made<ReasoningItem> {
  const itemId = `rs_${id}`;
  const at = { item_id: itemId, output_index: index, summary_index: 0 };
  let thought = '';
  let sealed: string | undefined;
  let status = BEGUN;
  let shown = false;
  const whole = (): JsonObject => reasoningItem(itemId, { text: thought, sealed, status });
  const show = (): string => {
    if (shown) return '';
    shown = true;
    return send('response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } });
  };
  const item: ReasoningItem = {
    kind: 'reasoning',
    whole,
    closed: () => status !== BEGUN,
    add: (text) => {
      if (text === '') return '';
      thought += text;
      return show() + send('response.reasoning_summary_text.delta', { ...at, delta: text });
    },
    seal: (signature) => {
      sealed = sealReasoning({ signature });
      return item.close('completed');
    },
    close: (ending) => {
      if (status !== BEGUN) return '';
      status = ending;
      const summary = shown
        ? send('response.reasoning_summary_text.done', { ...at, text: thought }) +
          send('response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text: thought } })
        : '';
      return summary + send('response.output_item.done', { output_index: index, item: whole() });
    },
  };
  return { item, text: send('response.output_item.added', { output_index: index, item: whole() }) };
}

/** A call of a function. */
export function createCall(
  { index, id, send }: ItemPlace,
  { callId, name }: { callId: string; name: string },
): Made<CallItem> {
  const itemId = `fc_${id}`;
  const at = { item_id: itemId, output_index: index };
  let written = '';
  let status = BEGUN;
  const whole = (): JsonObject => callItem(itemId, { callId, name, written, status });
  const item: CallItem = {
    kind: 'call',
    whole,
    closed: () => status !== BEGUN,
    add: (piece) => {
      written += piece;
      return send('response.function_call_arguments.delta', { ...at, delta: piece });
    },
    close: (ending) => {
      if (status !== BEGUN) return '';
      status = ending;
      return (
        send('response.function_call_arguments.done', { ...at, name, arguments: written }) +
        send('response.output_item.done', { output_index: index, item: whole() })
      );
    },
  };
  return { item, text: send('response.output_item.added', { output_index: index, item: whole() }) };
}
