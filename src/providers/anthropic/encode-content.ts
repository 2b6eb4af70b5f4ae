import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import type { CacheMarker, ContentPart } from '../../spec/chat.ts';
import { splitCallId, unmarkSignature } from '../kit/call-signature.ts';

const DATA_URL = /^data:([^;,]+)(?:;[^;,]*)*;base64,/;

/** What could not be said on the wire, by name; collected, so that a refusal names everything at once. */
export type Unsupported = Set<string>;

/**
 * One part as blocks of the wire. Reasoning without a signature is not sent back: the wire takes only its
 * own. Empty text is left out, because the wire refuses it.
 */
export function encodePart(part: ContentPart, unsupported: Unsupported): JsonObject[] {
  switch (part.type) {
    case 'text':
      return part.text === '' ? [] : [{ type: 'text', text: part.text, ...cacheControl(part.cache) }];
    case 'image':
      return [{ type: 'image', source: imageSource(part.url), ...cacheControl(part.cache) }];
    case 'file':
      return encodeFile(part, unsupported);
    case 'audio':
      unsupported.add('input_audio');
      return [];
    case 'reasoning':
      if (part.redacted !== undefined) return [{ type: 'redacted_thinking', data: part.redacted }];
      // Unsigned thoughts, and those that another vendor has signed, are refused.
      if (part.signature === undefined || part.signature === '' || unmarkSignature(part.signature) !== undefined)
        return [];
      return [{ type: 'thinking', thinking: part.text, signature: part.signature }];
    case 'tool-call':
      return [{ type: 'tool_use', id: splitCallId(part.id).id, name: part.name, input: inputOf(part.arguments) }];
    case 'tool-result':
      return [
        {
          type: 'tool_result',
          tool_use_id: splitCallId(part.id).id,
          content: encodeResult(part.content, unsupported),
          ...(part.isError === true && { is_error: true }),
        },
      ];
    default:
      return part satisfies never;
  }
}

/** The wire's breakpoint for its prompt cache. */
export function cacheControl(cache: CacheMarker | undefined): JsonObject {
  if (cache === undefined) return {};
  return { cache_control: { type: 'ephemeral', ...(cache.ttl !== undefined && { ttl: cache.ttl }) } };
}

function encodeResult(content: readonly ContentPart[], unsupported: Unsupported): string | JsonObject[] {
  const [only] = content;
  if (content.length === 0) return '';
  if (content.length === 1 && only?.type === 'text') return only.text;
  return content.flatMap((part) => encodePart(part, unsupported));
}

function imageSource(url: string): JsonObject {
  const data = DATA_URL.exec(url);
  if (data === null) return { type: 'url', url };
  return { type: 'base64', media_type: data[1] ?? '', data: url.slice(data[0].length) };
}

function encodeFile(part: Extract<ContentPart, { type: 'file' }>, unsupported: Unsupported): JsonObject[] {
  const title = part.name === undefined ? {} : { title: part.name };
  if (part.mediaType === 'application/pdf') {
    const source = { type: 'base64', media_type: part.mediaType, data: part.data };
    return [{ type: 'document', source, ...title, ...cacheControl(part.cache) }];
  }
  if (part.mediaType.startsWith('text/')) {
    const source = { type: 'text', media_type: 'text/plain', data: Buffer.from(part.data, 'base64').toString('utf8') };
    return [{ type: 'document', source, ...title, ...cacheControl(part.cache) }];
  }
  if (part.mediaType.startsWith('image/')) {
    return [{ type: 'image', source: { type: 'base64', media_type: part.mediaType, data: part.data } }];
  }
  unsupported.add(`file of type ${part.mediaType}`);
  return [];
}

/** Arguments are the model's own text and may be no JSON; the wire wants an object. */
function inputOf(text: string): JsonObject {
  if (text.trim() === '') return {};
  const parsed = parseJson(text);
  return isJsonObject(parsed) ? parsed : { arguments: text };
}
