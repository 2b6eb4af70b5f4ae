import { stringAt, type JsonObject, type JsonValue } from '../../../lib/json.ts';
import type { ContentPart } from '../../../spec/chat.ts';
import { requireObject, requireString, wrong } from '../read-request.ts';

/** What has no word in the vocabulary, by name; whoever must translate refuses it by these names. */
export type Unknown = Map<string, JsonValue>;

/** Content of a message or of a tool's output: a string, or a list of parts. @throws invalid_request with its path. */
export function decodeContent(content: JsonValue | undefined, at: string, unknown: Unknown): ContentPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw wrong(at, 'must be a string or a list of parts');
  return content.flatMap((value, index) => {
    const path = `${at}[${index}]`;
    return decodePart(requireObject(value, path), path, unknown);
  });
}

function decodePart(part: JsonObject, at: string, unknown: Unknown): ContentPart[] {
  const type = requireString(part['type'], `${at}.type`);
  switch (type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return [{ type: 'text', text: requireString(part['text'], `${at}.text`) }];
    case 'refusal':
      return [{ type: 'text', text: requireString(part['refusal'] ?? part['text'], `${at}.refusal`) }];
    case 'input_image': {
      const url = stringAt(part, 'image_url');
      if (url === undefined) return unnamed(`${at} without an image_url`, part, unknown);
      const detail = stringAt(part, 'detail');
      return [{ type: 'image', url, ...(detail !== undefined && detail !== 'auto' && { detail }) }];
    }
    case 'input_file':
      return decodeFile(part, at, unknown);
    case 'input_audio': {
      const audio = requireObject(part['input_audio'], `${at}.input_audio`);
      const format = requireString(audio['format'], `${at}.input_audio.format`);
      return [{ type: 'audio', data: requireString(audio['data'], `${at}.input_audio.data`), format }];
    }
    default:
      return unnamed(`${at} of type ${type.slice(0, 40)}`, part, unknown);
  }
}

/** A file that only its vendor has, or that stands at an address, cannot be handed to anybody else. */
function decodeFile(part: JsonObject, at: string, unknown: Unknown): ContentPart[] {
  const given = stringAt(part, 'file_data');
  if (given === undefined) return unnamed(`${at} without file_data`, part, unknown);
  const name = stringAt(part, 'filename');
  const named = name === undefined ? {} : { name };
  const data = /^data:([^;,]+);base64,(.+)$/s.exec(given);
  if (data !== null) return [{ type: 'file', mediaType: data[1] ?? '', data: data[2] ?? '', ...named }];
  if (/^[A-Za-z0-9+/\s]+=*$/.test(given) && name?.toLowerCase().endsWith('.pdf') === true) {
    return [{ type: 'file', mediaType: 'application/pdf', data: given, ...named }];
  }
  throw wrong(`${at}.file_data`, 'must be a data URL in base64');
}

function unnamed(name: string, value: JsonValue, unknown: Unknown): ContentPart[] {
  unknown.set(name, value);
  return [];
}
