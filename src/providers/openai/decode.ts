import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason, StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage } from '../../spec/usage.ts';
import { findUsage } from './usage.ts';

/** The words of the wire for why an answer ended. */
export function decodeFinish(reason: string): FinishReason {
  switch (reason) {
    case 'stop':
      return 'stop';
    case 'length':
      return 'length';
    case 'tool_calls':
    case 'function_call':
      return 'tool-calls';
    case 'content_filter':
      return 'content-filter';
    default:
      return 'other';
  }
}

/** A chat completion; its first choice is the answer, which is what other dialects can carry. */
export function decodeChatResult(body: JsonObject): ChatResult {
  const choice = arrayAt(body, 'choices').find(isJsonObject) ?? {};
  const message = objectAt(choice, 'message') ?? {};
  const parts: ContentPart[] = [];
  const reasoning = stringAt(message, 'reasoning_content') ?? stringAt(message, 'reasoning');
  if (reasoning) parts.push({ type: 'reasoning', text: reasoning });
  const text = stringAt(message, 'content') ?? stringAt(message, 'refusal');
  if (text) parts.push({ type: 'text', text });
  for (const call of arrayAt(message, 'tool_calls').filter(isJsonObject)) {
    const asked = objectAt(call, 'function') ?? {};
    parts.push({
      type: 'tool-call',
      id: stringAt(call, 'id') ?? '',
      name: stringAt(asked, 'name') ?? '',
      arguments: stringAt(asked, 'arguments') ?? '',
    });
  }
  return {
    id: stringAt(body, 'id') ?? '',
    model: stringAt(body, 'model') ?? '',
    createdMs: (numberAt(body, 'created') ?? 0) * 1000,
    parts,
    finish: decodeFinish(stringAt(choice, 'finish_reason') ?? 'stop'),
    usage: findUsage(body) ?? noUsage(),
  };
}

export interface DecodeProgress {
  started: boolean;
  target: string;
}

/** One chunk of a stream in the vocabulary; `progress` remembers whether an earlier chunk has been decoded. */
export function decodeChunk(chunk: JsonObject, progress: DecodeProgress): StreamPart[] {
  const parts: StreamPart[] = [];
  const error = objectAt(chunk, 'error');
  if (error !== undefined) {
    const cause = new Error(JSON.stringify(error).slice(0, 2_000));
    return [{ type: 'error', error: new SekishoError('upstream_failed', { values: { target: progress.target }, cause }) }];
  }
  if (!progress.started) {
    progress.started = true;
    parts.push({
      type: 'start',
      id: stringAt(chunk, 'id') ?? '',
      model: stringAt(chunk, 'model') ?? '',
      createdMs: (numberAt(chunk, 'created') ?? 0) * 1000,
    });
  }
  const choice = arrayAt(chunk, 'choices').find(isJsonObject) ?? {};
  const delta = objectAt(choice, 'delta') ?? {};
  const reasoning = stringAt(delta, 'reasoning_content') ?? stringAt(delta, 'reasoning');
  if (reasoning) parts.push({ type: 'reasoning', text: reasoning });
  const text = stringAt(delta, 'content') ?? stringAt(delta, 'refusal');
  if (text) parts.push({ type: 'text', text });
  for (const call of arrayAt(delta, 'tool_calls').filter(isJsonObject)) {
    const index = numberAt(call, 'index') ?? 0;
    const asked = objectAt(call, 'function') ?? {};
    const id = stringAt(call, 'id');
    const name = stringAt(asked, 'name');
    if (id && name) parts.push({ type: 'tool-call-start', index, id, name });
    const written = stringAt(asked, 'arguments');
    if (written) parts.push({ type: 'tool-call-delta', index, arguments: written });
  }
  const usage = findUsage(chunk);
  if (usage !== undefined) parts.push({ type: 'usage', usage });
  const finish = stringAt(choice, 'finish_reason');
  if (finish !== undefined) parts.push({ type: 'finish', finish: decodeFinish(finish) });
  return parts;
}
