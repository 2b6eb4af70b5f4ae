import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import type { ContentPart, Message, ToolCallPart, ToolResultPart } from '../../spec/chat.ts';
import { splitCallId, unmarkSignature } from '../kit/call-signature.ts';
import { inlineData } from '../kit/inline-data.ts';

/** Stands where a call has no signature of the model: a call of another vendor, or one whose signature was lost. */
const NO_SIGNATURE = 'skip_thought_signature_validator';
const AUDIO_TYPES: Readonly<Record<string, string>> = { mp3: 'audio/mp3', wav: 'audio/wav' };

export interface ContentOptions {
  /** `required`: the model refuses a turn whose first call carries no signature. */
  signatures: 'required' | 'optional';
  /** What could not be said on the wire, by name. */
  unsupported: Set<string>;
}

/**
 * The conversation without its system messages. Neighbours of one role stand in one content; results of calls
 * come first in theirs, because they must directly follow the calls.
 */
export function encodeContents(messages: readonly Message[], options: ContentOptions): JsonObject[] {
  const names = callNames(messages);
  const turns: { role: string; results: JsonObject[]; parts: JsonObject[] }[] = [];
  for (const message of messages) {
    if (message.role === 'system') continue;
    const role = message.role === 'assistant' ? 'model' : 'user';
    const results = message.parts.flatMap((part) =>
      part.type === 'tool-result' ? encodeResult(part, names.get(part.id), options) : [],
    );
    const parts = message.parts.flatMap((part) => encodePart(part, options));
    if (results.length + parts.length === 0) continue;
    const last = turns.at(-1);
    if (last?.role === role) {
      last.results.push(...results);
      last.parts.push(...parts);
    } else turns.push({ role, results, parts });
  }
  return turns.map(({ role, results, parts }) => ({
    role,
    parts: [...results, ...(role === 'model' && options.signatures === 'required' ? signed(parts) : parts)],
  }));
}

/** The system messages as one instruction; it holds text only. */
export function encodeSystem(messages: readonly Message[], unsupported: Set<string>): JsonObject | undefined {
  const parts = messages
    .filter((message) => message.role === 'system')
    .flatMap((message) => message.parts)
    .flatMap((part): JsonObject[] => {
      if (part.type === 'text') return part.text === '' ? [] : [{ text: part.text }];
      unsupported.add(`${part.type} in a system message`);
      return [];
    });
  return parts.length === 0 ? undefined : { parts };
}

/** One part; results of calls are encoded by themselves. Reasoning that the vendor did not sign is not sent back. */
function encodePart(part: ContentPart, { unsupported }: ContentOptions): JsonObject[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ text: part.text }];
    case 'image':
      return encodeImage(part.url, unsupported);
    case 'file':
      return [{ inlineData: { mimeType: part.mediaType, data: part.data } }];
    case 'audio':
      return [{ inlineData: { mimeType: AUDIO_TYPES[part.format] ?? `audio/${part.format}`, data: part.data } }];
    case 'reasoning': {
      const thoughtSignature = unmarkSignature(part.signature);
      if (thoughtSignature === undefined) return [];
      return [{ text: part.text, ...(part.text !== '' && { thought: true }), thoughtSignature }];
    }
    case 'tool-call':
      return [encodeCall(part)];
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

function encodeImage(url: string, unsupported: Set<string>): JsonObject[] {
  const inline = inlineData(url);
  if (inline !== undefined) return [{ inlineData: { mimeType: inline.mediaType, data: inline.data } }];
  if (url.startsWith('gs://')) return [{ fileData: { fileUri: url, ...mimeOf(url) } }];
  unsupported.add('an image URL of this kind');
  return [];
}

function encodeCall(part: ToolCallPart): JsonObject {
  const { id, signature } = splitCallId(part.id);
  return {
    functionCall: { id, name: part.name, args: argumentsOf(part.arguments) },
    ...(signature !== undefined && { thoughtSignature: signature }),
  };
}

/** A result with what it shows beside its text, which stands behind it as parts of their own. */
function encodeResult(part: ToolResultPart, name: string | undefined, options: ContentOptions): JsonObject[] {
  const { id } = splitCallId(part.id);
  const text = part.content.map((each) => (each.type === 'text' ? each.text : '')).join('\n');
  const shown = part.content.flatMap((each) => (each.type === 'text' ? [] : encodePart(each, options)));
  const parsed = parseJson(text);
  const response: JsonObject =
    part.isError === true ? { error: text } : isJsonObject(parsed) ? parsed : { result: text };
  return [{ functionResponse: { id, name: name ?? id, response } }, ...shown];
}

/** The first call of a turn carries a signature: its own, or the word that stands for none. */
function signed(parts: JsonObject[]): JsonObject[] {
  const first = parts.findIndex((part) => part['functionCall'] !== undefined);
  return parts.map((part, index) =>
    index === first && part['thoughtSignature'] === undefined ? { ...part, thoughtSignature: NO_SIGNATURE } : part,
  );
}

/** The wire wants a result to name the function; the vocabulary names the call. */
function callNames(messages: readonly Message[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { parts } of messages) {
    for (const part of parts) if (part.type === 'tool-call') names.set(part.id, part.name);
  }
  return names;
}

/** Arguments are the model's own text and may be no JSON; the wire wants an object. */
function argumentsOf(text: string): JsonObject {
  if (text.trim() === '') return {};
  const parsed = parseJson(text);
  return isJsonObject(parsed) ? parsed : { arguments: text };
}

function mimeOf(url: string): JsonObject {
  const kind = /\.(png|jpe?g|webp|heic|heif|gif)$/i.exec(url)?.[1]?.toLowerCase();
  return kind === undefined ? {} : { mimeType: `image/${kind === 'jpg' ? 'jpeg' : kind}` };
}
