import { createHash } from 'node:crypto';
import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import type { CacheMarker, ContentPart, Message, ToolResultPart } from '../../spec/chat.ts';
import { splitCallId, unmarkSignature } from '../kit/call-signature.ts';
import { inlineData } from '../kit/inline-data.ts';
import type { ModelFamily } from './model-family.ts';

const DOCUMENTS: Readonly<Record<string, string>> = {
  'application/pdf': 'pdf',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/csv': 'csv',
  'text/html': 'html',
  'text/markdown': 'md',
};
const IMAGES = new Set(['png', 'jpeg', 'gif', 'webp']);
const MAX_NAME = 64;
const CALL_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** What is gathered while the parts of a request are encoded. */
export interface Encoding {
  family: ModelFamily;
  /** What could not be said on the wire, by name. */
  unsupported: Set<string>;
  /** Names of documents so far; the wire wants them to differ. */
  documents: Set<string>;
}

/** Neighbours of one role in one message: the results of parallel calls must stand together, before any text. */
export function encodeMessages(messages: readonly Message[], encoding: Encoding): JsonObject[] {
  const turns: { role: string; results: JsonObject[]; content: JsonObject[] }[] = [];
  for (const message of messages) {
    if (message.role === 'system') continue;
    const results = message.parts.flatMap((part) =>
      part.type === 'tool-result' ? [encodeResult(part, encoding)] : [],
    );
    const content = message.parts.flatMap((part) => encodePart(part, encoding));
    if (results.length + content.length === 0) continue;
    const last = turns.at(-1);
    if (last?.role === message.role) {
      last.results.push(...results);
      last.content.push(...content);
    } else turns.push({ role: message.role, results, content });
  }
  return turns.map(({ role, results, content }) => ({ role, content: [...results, ...content] }));
}

/** The system messages, wherever they stand, as the system prompt; it holds text only. */
export function encodeSystem(messages: readonly Message[], encoding: Encoding): JsonObject[] {
  return messages
    .filter((message) => message.role === 'system')
    .flatMap((message) => message.parts)
    .flatMap((part) => {
      if (part.type === 'text') return encodePart(part, encoding);
      encoding.unsupported.add(`${part.type} in a system message`);
      return [];
    });
}

/**
 * The wire's breakpoint for its prompt cache, a block of its own. Models that cache nothing get none, and only
 * Claude's keep longer than the usual five minutes.
 */
export function cachePoint(cache: CacheMarker | undefined, family: ModelFamily): JsonObject[] {
  if (cache === undefined || (family !== 'claude' && family !== 'nova' && family !== 'unknown')) return [];
  return [{ cachePoint: { type: 'default', ...(cache.ttl === '1h' && family !== 'nova' && { ttl: '1h' }) } }];
}

/** The id of a call as the wire takes it; the same for the same id, so that results find their calls. */
export function wireCallId(given: string): string {
  const { id } = splitCallId(given);
  return CALL_ID.test(id) ? id : `call_${createHash('sha256').update(id).digest('hex').slice(0, 32)}`;
}

/** Reasoning without a signature is not sent back, nor that of another vendor: the wire takes only its own. */
function encodePart(part: ContentPart, encoding: Encoding): JsonObject[] {
  const { unsupported, family } = encoding;
  switch (part.type) {
    case 'text':
      // The wire refuses blank text.
      return part.text.trim() === '' ? [] : [{ text: part.text }, ...cachePoint(part.cache, family)];
    case 'image':
      return [...encodeImage(part.url, unsupported), ...cachePoint(part.cache, family)];
    case 'file':
      return [...encodeFile(part, encoding), ...cachePoint(part.cache, family)];
    case 'audio':
      return [{ audio: { format: part.format, source: { bytes: part.data } } }];
    case 'reasoning':
      if (part.redacted !== undefined) return [{ reasoningContent: { redactedContent: part.redacted } }];
      if (!part.signature || unmarkSignature(part.signature) !== undefined) return [];
      return [{ reasoningContent: { reasoningText: { text: part.text, signature: part.signature } } }];
    case 'tool-call':
      return [{ toolUse: { toolUseId: wireCallId(part.id), name: part.name, input: inputOf(part.arguments) } }];
    case 'tool-result':
      return [];
    default:
      return part satisfies never;
  }
}

function encodeResult(part: ToolResultPart, encoding: Encoding): JsonObject {
  // Breakpoints inside a result have no place on the wire.
  const content = part.content.flatMap((each) => encodePart(each, { ...encoding, family: 'other' }));
  return {
    toolResult: {
      toolUseId: wireCallId(part.id),
      content: content.length === 0 ? [{ json: {} }] : content,
      ...(part.isError === true && { status: 'error' }),
    },
  };
}

function encodeImage(url: string, unsupported: Set<string>): JsonObject[] {
  const inline = inlineData(url);
  if (inline !== undefined) return imageBlock(inline.mediaType, { bytes: inline.data }, unsupported);
  const stored = /^s3:\/\/.+\.(png|jpe?g|gif|webp)$/i.exec(url)?.[1];
  if (stored !== undefined) {
    const format = stored.toLowerCase().replace('jpg', 'jpeg');
    return imageBlock(`image/${format}`, { s3Location: { uri: url } }, unsupported);
  }
  unsupported.add('an image URL of this kind');
  return [];
}

function imageBlock(mediaType: string, source: JsonObject, unsupported: Set<string>): JsonObject[] {
  const format = mediaType.replace(/^image\//, '');
  if (IMAGES.has(format)) return [{ image: { format, source } }];
  unsupported.add(`image of type ${mediaType}`);
  return [];
}

function encodeFile(part: Extract<ContentPart, { type: 'file' }>, encoding: Encoding): JsonObject[] {
  const { unsupported, documents } = encoding;
  if (part.mediaType.startsWith('image/')) return imageBlock(part.mediaType, { bytes: part.data }, unsupported);
  const format = DOCUMENTS[part.mediaType] ?? (part.mediaType.startsWith('text/') ? 'txt' : undefined);
  if (format === undefined) {
    unsupported.add(`file of type ${part.mediaType}`);
    return [];
  }
  const name = documentName(part.name, documents);
  return [{ document: { format, name, source: { bytes: part.data } } }];
}

/** The wire takes letters, digits, single blanks, hyphens and brackets, and no name twice. */
function documentName(given: string | undefined, taken: Set<string>): string {
  const plain = (given ?? '')
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .replace(/[^A-Za-z0-9()[\]-]+/g, ' ')
    .trim()
    .slice(0, MAX_NAME);
  const base = plain === '' ? 'document' : plain;
  let name = base;
  for (let count = 2; taken.has(name); count++) name = `${base} ${count}`;
  taken.add(name);
  return name;
}

/** Arguments are the model's own text and may be no JSON; the wire wants an object. */
function inputOf(text: string): JsonObject {
  if (text.trim() === '') return {};
  const parsed = parseJson(text);
  return isJsonObject(parsed) ? parsed : { arguments: text };
}
