import { isJsonObject, objectAt, stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { CacheMarker, ContentPart } from '../../../spec/chat.ts';
import { requireObject, requireString, wrong } from '../read-request.ts';

/** Deeper than results of tools nobody nests content. */
const MAX_DEPTH = 3;

/** Content of the dialect: a string, or a list of blocks. @throws invalid_request with the path of the problem. */
export function decodeContent(content: JsonValue | undefined, at: string, depth = 0): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(at, 'must be a string or a list of blocks');
  if (depth >= MAX_DEPTH) throw wrong(at, 'is nested too deeply');
  return content.map((value, index) => decodeBlock(requireObject(value, `${at}[${index}]`), `${at}[${index}]`, depth));
}

/** A breakpoint of the prompt cache, where the block carries one. */
export function cacheOf(block: JsonObject): { cache?: CacheMarker } {
  const marker = objectAt(block, 'cache_control');
  if (marker === undefined) return {};
  const ttl = stringAt(marker, 'ttl');
  return { cache: ttl === undefined ? {} : { ttl } };
}

function decodeBlock(block: JsonObject, at: string, depth: number): ContentPart {
  const type = requireString(block['type'], `${at}.type`);
  const cache = cacheOf(block);
  switch (type) {
    case 'text':
      return { type: 'text', text: requireString(block['text'], `${at}.text`), ...cache };
    case 'image':
      return { type: 'image', url: imageUrl(requireObject(block['source'], `${at}.source`), `${at}.source`), ...cache };
    case 'document':
      return { ...decodeDocument(block, at), ...cache };
    case 'thinking': {
      const signature = stringAt(block, 'signature');
      const text = requireString(block['thinking'], `${at}.thinking`);
      return { type: 'reasoning', text, ...(signature !== undefined && { signature }) };
    }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', redacted: requireString(block['data'], `${at}.data`) };
    case 'tool_use':
      return {
        type: 'tool-call',
        id: requireString(block['id'], `${at}.id`),
        name: requireString(block['name'], `${at}.name`),
        arguments: JSON.stringify(block['input'] ?? {}),
      };
    case 'tool_result':
      return {
        type: 'tool-result',
        id: requireString(block['tool_use_id'], `${at}.tool_use_id`),
        content: decodeContent(block['content'] ?? [], `${at}.content`, depth + 1),
        ...(block['is_error'] === true && { isError: true }),
      };
    default:
      throw wrong(`${at}.type`, `"${type.slice(0, 40)}" is not a known block, or runs only at its vendor`);
  }
}

function imageUrl(source: JsonObject, at: string): string {
  if (source['type'] === 'url') return requireString(source['url'], `${at}.url`);
  if (source['type'] !== 'base64') throw wrong(`${at}.type`, 'must be base64 or url');
  const mediaType = requireString(source['media_type'], `${at}.media_type`);
  return `data:${mediaType};base64,${requireString(source['data'], `${at}.data`)}`;
}

function decodeDocument(block: JsonObject, at: string): ContentPart {
  const source = requireObject(block['source'], `${at}.source`);
  const title = stringAt(block, 'title');
  const name = title === undefined ? {} : { name: title };
  switch (source['type']) {
    case 'base64': {
      const mediaType = requireString(source['media_type'], `${at}.source.media_type`);
      return { type: 'file', mediaType, data: requireString(source['data'], `${at}.source.data`), ...name };
    }
    case 'text': {
      const text = requireString(source['data'], `${at}.source.data`);
      return { type: 'text', text: title === undefined ? text : `${title}\n\n${text}` };
    }
    case 'content':
      return { type: 'text', text: textOf(source['content']) };
    default:
      throw wrong(`${at}.source.type`, 'must be base64, text or content');
  }
}

function textOf(content: JsonValue | undefined): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((block) => (isJsonObject(block) ? (stringAt(block, 'text') ?? '') : '')).join('\n');
}
