import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason, PassageInput } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage } from '../../spec/usage.ts';
import { decodeCitation } from './citations.ts';
import { findUsage } from './usage.ts';

/** The words of the wire for why an answer ended. */
export function decodeFinish(reason: string): FinishReason {
  switch (reason) {
    case 'COMPLETE':
    case 'STOP_SEQUENCE':
      return 'stop';
    case 'MAX_TOKENS':
    case 'ERROR_LIMIT':
      return 'length';
    case 'TOOL_CALL':
      return 'tool-calls';
    case 'ERROR_TOXIC':
      return 'content-filter';
    default:
      return 'other';
  }
}

/** The error that a reason for the end stands for: the generation broke off, and what came is no answer. */
export function failureIn(reason: string, target: string, said: string | undefined): SekishoError | undefined {
  if (reason !== 'ERROR' && reason !== 'TIMEOUT') return undefined;
  const cause = new Error(`the generation ended: ${reason} ${(said ?? '').slice(0, 500)}`);
  return reason === 'TIMEOUT'
    ? new SekishoError('upstream_timeout', { values: { target, phase: 'model' }, cause })
    : new SekishoError('upstream_failed', { values: { target }, cause });
}

export interface DecodeOptions {
  model: string;
  nowMs: number;
  /** What the request brought with it, which citations point into. */
  passages: readonly PassageInput[];
}

/** A whole answer in the vocabulary: what the model thought, what it said, the calls. */
export function decodeResult(body: JsonObject, { model, nowMs, passages }: DecodeOptions): ChatResult {
  const message = objectAt(body, 'message') ?? {};
  const plan = stringAt(message, 'tool_plan') ?? '';
  const content = arrayAt(message, 'content').filter(isJsonObject).flatMap(decodeContent);
  const answered = content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const citations = arrayAt(message, 'citations')
    .filter(isJsonObject)
    .flatMap((each) => decodeCitation(each, { passages, answered }));
  return {
    id: stringAt(body, 'id') ?? '',
    model,
    createdMs: nowMs,
    parts: [
      ...content,
      ...(plan === '' ? [] : [{ type: 'reasoning' as const, text: plan }]),
      ...arrayAt(message, 'tool_calls').filter(isJsonObject).map(decodeCall),
    ],
    finish: decodeFinish(stringAt(body, 'finish_reason') ?? ''),
    usage: findUsage(objectAt(body, 'usage')) ?? noUsage(),
    ...(citations.length > 0 && { citations }),
  };
}

function decodeContent(content: JsonObject): ContentPart[] {
  const text = stringAt(content, 'text') ?? '';
  if (content['type'] === 'text') return text === '' ? [] : [{ type: 'text', text }];
  const thinking = stringAt(content, 'thinking') ?? '';
  return content['type'] === 'thinking' && thinking !== '' ? [{ type: 'reasoning', text: thinking }] : [];
}

function decodeCall(call: JsonObject): ContentPart {
  const called = objectAt(call, 'function') ?? {};
  const written = stringAt(called, 'arguments') ?? '';
  return {
    type: 'tool-call',
    id: stringAt(call, 'id') ?? '',
    name: stringAt(called, 'name') ?? '',
    arguments: written === '' ? '{}' : written,
  };
}
