import { isJsonObject, parseJson } from '../../lib/json.ts';
import type { ChatAnswer } from '../../ports/provider.ts';
import type { ChatResult } from '../../spec/chat.ts';
import type { Usage } from '../../spec/usage.ts';
import type { ModelCall } from '../model-call.ts';
import { isKeepable } from './keepable.ts';

/** An answer as it is kept: text, so that nobody who gets it can change it for the next one. */
export interface KeptAnswer {
  /** What the call used that made it. */
  usage: Usage;
  /** JSON of the ChatResult. */
  result: string;
  /** The body as the upstream sent it, in the form of the caller's dialect. */
  native?: { wire: string; text: string };
  /** True where the vocabulary may lack something of it: only the native body is the answer. */
  bound: boolean;
}

/** Fields without a word in the vocabulary that change what is said, not what an answer has in it. */
const SHAPELESS = new Set([
  'store',
  'metadata',
  'service_tier',
  'logit_bias',
  'min_p',
  'repetition_penalty',
  'verbosity',
  'truncation',
]);

const VERSION = 1;

/** Whether an answer to this call may have something that the vocabulary lacks (log probabilities, audio, ...). */
export function mayExceedVocabulary(call: ModelCall): boolean {
  return Object.keys(call.request().extra ?? {}).some((field) => !SHAPELESS.has(field));
}

/** @returns undefined where the answer is none to be given again. */
export function keptAnswer(call: ModelCall, answer: ChatAnswer): KeptAnswer | undefined {
  const { native, usage } = answer;
  const result = answer.result();
  if (!isKeepable(result, call.request().responseFormat)) return undefined;
  const bound = mayExceedVocabulary(call);
  if (bound && native === undefined) return undefined;
  return { usage, result: JSON.stringify(result), bound, ...(native !== undefined && { native }) };
}

/** The kept answer in the form that this call wants; undefined where it cannot be given so. */
export function answerFor(call: ModelCall, kept: KeptAnswer): ChatAnswer | undefined {
  const form = call.native?.wire;
  const native =
    !call.stream && form !== undefined && kept.native?.wire === form
      ? { wire: form, text: kept.native.text }
      : undefined;
  if (kept.bound && native === undefined) return undefined;
  return {
    usage: kept.usage,
    ...(native !== undefined && { native }),
    result: () => JSON.parse(kept.result) as ChatResult,
  };
}

/** Bytes in memory; UTF-8 is never shorter than what the engine keeps a text in. */
export function bytesOfKept({ result, native }: KeptAnswer): number {
  return Buffer.byteLength(result) + (native === undefined ? 0 : Buffer.byteLength(native.text));
}

export function encodeKept({ result, native, bound }: KeptAnswer): Uint8Array {
  return Buffer.from(JSON.stringify({ version: VERSION, result, bound, ...(native && { native }) }));
}

/** undefined for what another version wrote, or what is no kept answer at all. */
export function decodeKept(bytes: Uint8Array): KeptAnswer | undefined {
  const kept = parseJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  if (!isJsonObject(kept) || kept['version'] !== VERSION) return undefined;
  const { result: text, native, bound } = kept;
  const result = typeof text === 'string' ? parseJson(text) : undefined;
  if (typeof text !== 'string' || typeof bound !== 'boolean' || !isChatResult(result)) return undefined;
  const { wire, text: body } = isJsonObject(native) ? native : {};
  return {
    usage: result.usage,
    result: text,
    bound,
    ...(typeof wire === 'string' && typeof body === 'string' && { native: { wire, text: body } }),
  };
}

function isChatResult(value: unknown): value is ChatResult {
  return isJsonObject(value) && Array.isArray(value['parts']) && isJsonObject(value['usage']);
}
