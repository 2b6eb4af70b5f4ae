import { isJsonObject, objectAt, type JsonObject } from '../../lib/json.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import { tokensAt } from '../kit/tokens-at.ts';

/** The window that a server gives a model unasked; what is longer it cuts in silence. */
const DEFAULT_WINDOW = 4_096;
/** Room for the answer where the caller sets no limit. */
const ANSWER_TOKENS = 1_024;
/** Of more models than this the oldest knowledge is forgotten. */
const MAX_MODELS = 1_000;

/**
 * The window to ask for, in tokens, so that a long prompt is not cut; undefined where the server's own is wide
 * enough. A power of two: each new width makes the server load its model again. `contextLength` asks the server
 * how wide the model's window can be.
 */
export async function windowFor(
  request: ChatRequest,
  contextLength: () => Promise<number | undefined>,
): Promise<number | undefined> {
  const options = request.extra?.['options'];
  if (isJsonObject(options) && options['num_ctx'] !== undefined) return undefined;
  const needed = roughTokens(request) + (request.maxOutputTokens ?? ANSWER_TOKENS);
  if (needed <= DEFAULT_WINDOW) return undefined;
  const widest = await contextLength();
  return widest === undefined ? undefined : Math.min(widest, 2 ** Math.ceil(Math.log2(needed)));
}

/** Rather too many than too few: three letters of Latin text, or one byte-triple of Japanese, make a token. */
function roughTokens(request: ChatRequest): number {
  let bytes = 0;
  for (const { parts } of request.messages) {
    for (const part of parts) {
      if (part.type === 'text' || part.type === 'reasoning') bytes += Buffer.byteLength(part.text);
      else if (part.type === 'tool-call') bytes += Buffer.byteLength(part.arguments);
      else if (part.type === 'tool-result') {
        for (const each of part.content) if (each.type === 'text') bytes += Buffer.byteLength(each.text);
      }
    }
  }
  for (const tool of request.tools ?? []) bytes += Buffer.byteLength(JSON.stringify(tool));
  return Math.ceil(bytes / 3);
}

/** The length of a model's window in the answer of /api/show: `<architecture>.context_length`. */
export function contextLengthIn(shown: JsonObject): number | undefined {
  const info = objectAt(shown, 'model_info') ?? {};
  const key = Object.keys(info).find((name) => name.endsWith('.context_length'));
  return key === undefined ? undefined : tokensAt(info, key);
}

/** Remembers what a server said of its models; a failure is not remembered, and is no failure of the call. */
export function createContextLengths(
  show: (model: string) => Promise<JsonObject>,
): (model: string) => Promise<number | undefined> {
  const known = new Map<string, number | undefined>();
  return async (model) => {
    if (known.has(model)) return known.get(model);
    try {
      const length = contextLengthIn(await show(model));
      if (known.size >= MAX_MODELS) known.delete(known.keys().next().value ?? '');
      known.set(model, length);
      return length;
    } catch {
      return undefined;
    }
  };
}
