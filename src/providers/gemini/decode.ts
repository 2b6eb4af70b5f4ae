import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ChatResult, ContentPart, FinishReason } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import { noUsage } from '../../spec/usage.ts';
import { markSignature, signedCallId } from '../kit/call-signature.ts';
import { findUsage } from './usage.ts';

/** Reasons that mean the model tried to call a tool and failed: what came is no answer. */
const BROKEN_CALLS = new Set([
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MISSING_THOUGHT_SIGNATURE',
  'MALFORMED_RESPONSE',
]);

/** The words of the wire for why an answer ended; it has none for calls, so `calls` tells how many there were. */
export function decodeFinish(reason: string, calls: number): FinishReason {
  switch (reason) {
    case 'STOP':
      return calls > 0 ? 'tool-calls' : 'stop';
    case 'MAX_TOKENS':
      return 'length';
    case 'SAFETY':
    case 'RECITATION':
    case 'BLOCKLIST':
    case 'PROHIBITED_CONTENT':
    case 'SPII':
    case 'MODEL_ARMOR':
    case 'IMAGE_SAFETY':
    case 'IMAGE_PROHIBITED_CONTENT':
    case 'IMAGE_RECITATION':
      return 'content-filter';
    default:
      return 'other';
  }
}

/** Why a body holds no answer, where it holds none: the prompt was blocked, or a call went wrong. */
export function refusalIn(body: JsonObject, target: string): SekishoError | undefined {
  const candidate = firstCandidate(body);
  const blocked = stringAt(objectAt(body, 'promptFeedback') ?? {}, 'blockReason');
  if (candidate === undefined && blocked !== undefined) {
    return new SekishoError('content_refused', { cause: new Error(`the prompt was blocked: ${blocked}`) });
  }
  const reason = stringAt(candidate ?? {}, 'finishReason') ?? '';
  if (!BROKEN_CALLS.has(reason)) return undefined;
  return new SekishoError('upstream_broken', { values: { target }, cause: new Error(`the answer ended: ${reason}`) });
}

/** A whole answer in the vocabulary: the first candidate. Code that the vendor ran has no word in it and is left out. */
export function decodeResult(body: JsonObject, options: { model: string; nowMs: number }): ChatResult {
  const candidate = firstCandidate(body) ?? {};
  const id = stringAt(body, 'responseId') ?? newId('gen', options.nowMs);
  const decoder = createPartDecoder(id);
  const parts = partsOf(candidate).flatMap(decoder.decode);
  return {
    id,
    model: stringAt(body, 'modelVersion') ?? options.model,
    createdMs: options.nowMs,
    parts: joined(parts),
    finish: decodeFinish(stringAt(candidate, 'finishReason') ?? '', decoder.calls),
    usage: findUsage(body) ?? noUsage(),
  };
}

export function firstCandidate(body: JsonObject): JsonObject | undefined {
  return arrayAt(body, 'candidates')
    .filter(isJsonObject)
    .find((each) => (each['index'] ?? 0) === 0);
}

export function partsOf(candidate: JsonObject): JsonObject[] {
  return arrayAt(objectAt(candidate, 'content') ?? {}, 'parts').filter(isJsonObject);
}

/** Understands the parts of one answer, in order, whether they come at once or in pieces. */
export interface PartDecoder {
  decode(part: JsonObject): ContentPart[];
  /** How many calls there were. */
  readonly calls: number;
}

/**
 * Calls without an id get one from the answer's id and their place. A signature goes with what it was given
 * for: a call carries it in its id, a thought in its part; the signature of plain text is kept only where
 * the caller was shown thoughts, and stands behind the text.
 */
export function createPartDecoder(answerId: string): PartDecoder {
  let calls = 0;
  let thoughts = false;
  return {
    get calls() {
      return calls;
    },
    decode(part) {
      const signature = stringAt(part, 'thoughtSignature');
      const call = objectAt(part, 'functionCall');
      if (call !== undefined) {
        const id = stringAt(call, 'id') || `call_${answerId}_${calls}`;
        calls++;
        return [
          {
            type: 'tool-call',
            id: signedCallId(id, signature),
            name: stringAt(call, 'name') ?? '',
            arguments: JSON.stringify(call['args'] ?? {}),
          },
        ];
      }
      const inline = objectAt(part, 'inlineData');
      if (inline !== undefined) {
        const mimeType = stringAt(inline, 'mimeType') ?? '';
        if (!mimeType.startsWith('image/')) return [];
        return [{ type: 'image', url: `data:${mimeType};base64,${stringAt(inline, 'data') ?? ''}` }];
      }
      const text = stringAt(part, 'text') ?? '';
      const marked = signature === undefined ? {} : { signature: markSignature(signature) };
      if (part['thought'] === true) {
        thoughts = true;
        return text === '' && signature === undefined ? [] : [{ type: 'reasoning', text, ...marked }];
      }
      const said: ContentPart[] = text === '' ? [] : [{ type: 'text', text }];
      if (signature !== undefined && thoughts) said.push({ type: 'reasoning', text: '', ...marked });
      return said;
    },
  };
}

/** Neighbouring texts as one: the wire cuts where it likes. */
function joined(parts: readonly ContentPart[]): ContentPart[] {
  const whole: ContentPart[] = [];
  for (const part of parts) {
    const last = whole.at(-1);
    if (part.type === 'text' && last?.type === 'text')
      whole[whole.length - 1] = { ...last, text: last.text + part.text };
    else whole.push(part);
  }
  return whole;
}
