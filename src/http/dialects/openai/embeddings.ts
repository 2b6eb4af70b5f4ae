import { stringAt, type JsonObject } from '../../../lib/json.ts';
import type { EmbeddingRequest, EmbeddingResult } from '../../../spec/embedding.ts';
import type { Usage } from '../../../spec/usage.ts';
import { optionalNumber, requireString, wrong } from '../read-request.ts';

const MAX_INPUTS = 2_048;

/**
 * An embeddings request (platform.openai.com/docs/api-reference/embeddings/create) in the vocabulary.
 * @throws SekishoError invalid_request; lists of tokens are refused, because a token means nothing without its tokeniser.
 */
export function decodeEmbeddingRequest(json: JsonObject): {
  route: string;
  request: EmbeddingRequest;
  endUser?: string;
} {
  const route = requireString(json['model'], 'model');
  if (route === '' || route.length > 256) throw wrong('model', 'a model name is required');
  const given = json['input'];
  const input = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(input) || input.length === 0) throw wrong('input', 'a string or a list of strings is required');
  if (input.length > MAX_INPUTS) throw wrong('input', `more than ${MAX_INPUTS} texts`);
  const texts = input.filter((text) => typeof text === 'string');
  if (texts.length !== input.length) throw wrong('input', 'must hold text; lists of tokens are not taken');
  if (texts.some((text) => text === '')) throw wrong('input', 'holds an empty text');
  const format = json['encoding_format'];
  if (format !== undefined && format !== 'float' && format !== 'base64') {
    throw wrong('encoding_format', 'must be float or base64');
  }
  const dimensions = optionalNumber(json, 'dimensions');
  const endUser = stringAt(json, 'user');
  return {
    route,
    request: {
      input: texts,
      ...(dimensions !== undefined && { dimensions }),
      ...(endUser !== undefined && { endUser }),
    },
    ...(endUser !== undefined && { endUser }),
  };
}

/** An embeddings answer, in the number format that the request asked for. */
export function encodeEmbeddingResult(result: EmbeddingResult, usage: Usage, request: JsonObject): JsonObject {
  const base64 = request['encoding_format'] === 'base64';
  return {
    object: 'list',
    data: result.vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: base64
        ? Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')
        : Array.from(vector),
    })),
    model: result.model,
    usage: { prompt_tokens: usage.inputTokens, total_tokens: usage.inputTokens },
  };
}
