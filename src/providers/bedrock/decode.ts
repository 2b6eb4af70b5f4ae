import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { noUsage } from '../../spec/usage.ts';
import { decodeUsage } from './usage.ts';

/** The words of the wire for why an answer ended. */
export function decodeFinish(reason: string): FinishReason {
  switch (reason) {
    case 'end_turn':
    case 'stop_sequence':
      return 'stop';
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length';
    case 'tool_use':
      return 'tool-calls';
    case 'guardrail_intervened':
    case 'content_filtered':
      return 'content-filter';
    default:
      return 'other';
  }
}

/** Why what came is no answer, where the reason for its end says so: the model failed in its form. */
export function refusalIn(reason: string, target: string): SekishoError | undefined {
  if (!reason.startsWith('malformed_')) return undefined;
  return new SekishoError('upstream_broken', { values: { target }, cause: new Error(`the answer ended: ${reason}`) });
}

/** A whole answer in the vocabulary; the wire names neither itself nor its model, so the call does. */
export function decodeResult(body: JsonObject, options: { id: string; model: string; nowMs: number }): ChatResult {
  const message = objectAt(objectAt(body, 'output') ?? {}, 'message') ?? {};
  const usage = objectAt(body, 'usage');
  return {
    id: options.id,
    model: options.model,
    createdMs: options.nowMs,
    parts: arrayAt(message, 'content').filter(isJsonObject).flatMap(decodeBlock),
    finish: decodeFinish(stringAt(body, 'stopReason') ?? ''),
    usage: usage === undefined ? noUsage() : decodeUsage(usage),
  };
}

function decodeBlock(block: JsonObject): ContentPart[] {
  const text = stringAt(block, 'text');
  if (text !== undefined) return [{ type: 'text', text }];
  const call = objectAt(block, 'toolUse');
  if (call !== undefined) {
    const id = stringAt(call, 'toolUseId') ?? '';
    const name = stringAt(call, 'name') ?? '';
    return [{ type: 'tool-call', id, name, arguments: JSON.stringify(call['input'] ?? {}) }];
  }
  const reasoning = objectAt(block, 'reasoningContent');
  if (reasoning !== undefined) return [decodeReasoning(reasoning)];
  // An answer that cites comes as texts with their citations, which point into documents of the caller's own.
  const cited = objectAt(block, 'citationsContent');
  if (cited === undefined) return [];
  return arrayAt(cited, 'content')
    .filter(isJsonObject)
    .map((piece) => ({ type: 'text', text: stringAt(piece, 'text') ?? '' }));
}

function decodeReasoning(reasoning: JsonObject): ContentPart {
  const redacted = stringAt(reasoning, 'redactedContent');
  if (redacted !== undefined) return { type: 'reasoning', text: '', redacted };
  const said = objectAt(reasoning, 'reasoningText') ?? {};
  const signature = stringAt(said, 'signature');
  return { type: 'reasoning', text: stringAt(said, 'text') ?? '', ...(signature !== undefined && { signature }) };
}
