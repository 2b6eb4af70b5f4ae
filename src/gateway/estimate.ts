import { numberAt, type JsonValue } from '../lib/json.ts';
import type { ContentPart } from '../spec/chat.ts';
import type { Estimate } from './admission.ts';
import type { EmbedCall, ModelCall, RerankModelCall } from './model-call.ts';

/** What a call without a stated maximum is taken to answer, in tokens. */
const ASSUMED_OUTPUT_TOKENS = 1_024;

/** Names of a maximum. Where several are stated the upstream chooses, so the largest counts. */
const MAXIMA = ['max_completion_tokens', 'max_tokens', 'max_output_tokens'] as const;

/** A number, also as text: some servers take it for one. */
function statedNumber(value: JsonValue | undefined): number | undefined {
  const given = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof given === 'number' && !Number.isNaN(given) ? given : undefined;
}

/**
 * Tokens of a text without a tokeniser: a quarter of its UTF-8 bytes. English runs at about four bytes a
 * token and Japanese, at three bytes a character, at about one and a third characters a token.
 */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4);
}

/** What a chat call may use at most, as far as its request tells. */
export function estimateChat(call: ModelCall): Estimate {
  if (call.native !== undefined) {
    const { json, text } = call.native;
    const stated = MAXIMA.flatMap((name) => statedNumber(json[name]) ?? []);
    // Of several prompts each is answered, of several candidates each is made.
    const prompts = Array.isArray(json['prompt']) ? json['prompt'].length : 1;
    const answers = Math.max(1, numberAt(json, 'n') ?? 1, numberAt(json, 'best_of') ?? 1) * Math.max(1, prompts);
    return {
      inputTokens: estimateTokens(text),
      maxOutputTokens: (stated.length === 0 ? ASSUMED_OUTPUT_TOKENS : Math.max(0, ...stated)) * answers,
    };
  }
  const request = call.request();
  const inputTokens = request.messages.reduce(
    (sum, message) => sum + message.parts.reduce((inner, part) => inner + estimateTokens(textOf(part)), 0),
    0,
  );
  return { inputTokens, maxOutputTokens: request.maxOutputTokens ?? ASSUMED_OUTPUT_TOKENS };
}

/** What an embedding call uses. */
export function estimateEmbedding(call: EmbedCall): Estimate {
  return { inputTokens: call.request.input.reduce((sum, text) => sum + estimateTokens(text), 0), maxOutputTokens: 0 };
}

/** Documents that one search is billed for, as Cohere counts them. */
const DOCUMENTS_PER_SEARCH = 100;

/** What a rerank call uses: the query is read with each of the documents. */
export function estimateRerank({ request }: RerankModelCall): Estimate {
  const documents = request.documents.reduce((sum, text) => sum + estimateTokens(text), 0);
  const inputTokens = estimateTokens(request.query) * request.documents.length + documents;
  return { inputTokens, maxOutputTokens: 0, searchUnits: Math.ceil(request.documents.length / DOCUMENTS_PER_SEARCH) };
}

function textOf(part: ContentPart): string {
  if (part.type === 'text' || part.type === 'reasoning') return part.text;
  return part.type === 'tool-call' ? part.arguments : '';
}
