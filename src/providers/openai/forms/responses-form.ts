import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../../lib/json.ts';
import type { ChatResult, ContentPart } from '../../../spec/chat.ts';
import { noUsage } from '../../../spec/usage.ts';
import type { PassingWire } from '../../kit/passing-reader.ts';
import { decodeUsage } from '../usage.ts';
import type { PassedForm } from './body-form.ts';
import { createResponsesDecoder, responseFinish } from './responses-decoder.ts';

/** Responses (platform.openai.com/docs/api-reference/responses). */
export const responsesForm: PassedForm = {
  form: 'openai-responses',
  path: '/responses',
  asksForUsage: false,
  isAnswer: (body) => Array.isArray(body['output']) && body['status'] !== 'failed',
  decode: decodeResponse,
  passing: createResponsesPassing,
  decoder: createResponsesDecoder,
};

/**
 * What a streamed response tells metering: its last event has usage and the reason of the end, or the error.
 * Inside a JSON string the quotes of these names are escaped, so that the text of an answer does not match.
 */
function createResponsesPassing(target: string): PassingWire {
  const decoder = createResponsesDecoder(target);
  let finished = false;
  return {
    telling: /"(?:response\.(?:completed|incomplete|failed)|response\.output_item\.added|error)"|\[DONE\]/,
    // The last event is the answer itself: nobody could make it up.
    endMark: Buffer.alloc(0),
    isEnd: decoder.isEnd,
    finished: () => finished,
    tell(event) {
      const parts = decoder
        .decode(event)
        .filter((part) => part.type === 'usage' || part.type === 'finish' || part.type === 'error');
      finished ||= parts.some((part) => part.type === 'finish');
      return { parts, hidden: false };
    },
  };
}

function decodeResponse(body: JsonObject): ChatResult {
  const parts = arrayAt(body, 'output').filter(isJsonObject).flatMap(decodeItem);
  const usage = objectAt(body, 'usage');
  return {
    id: stringAt(body, 'id') ?? '',
    model: stringAt(body, 'model') ?? '',
    createdMs: (numberAt(body, 'created_at') ?? 0) * 1000,
    parts,
    finish: responseFinish(
      body,
      parts.some((part) => part.type === 'tool-call'),
    ),
    usage: usage === undefined ? noUsage() : decodeUsage(usage),
  };
}

function decodeItem(item: JsonObject): ContentPart[] {
  switch (item['type']) {
    case 'message':
      return arrayAt(item, 'content')
        .filter(isJsonObject)
        .flatMap((part): ContentPart[] => {
          const text = stringAt(part, 'text') ?? stringAt(part, 'refusal');
          return text === undefined ? [] : [{ type: 'text', text }];
        });
    case 'reasoning': {
      const pieces = [...arrayAt(item, 'summary'), ...arrayAt(item, 'content')].filter(isJsonObject);
      const text = pieces.map((piece) => stringAt(piece, 'text') ?? '').join('\n\n');
      return text === '' ? [] : [{ type: 'reasoning', text }];
    }
    case 'function_call':
      return [
        {
          type: 'tool-call',
          id: stringAt(item, 'call_id') ?? '',
          name: stringAt(item, 'name') ?? '',
          arguments: stringAt(item, 'arguments') ?? '',
        },
      ];
    // Calls of the vendor's own tools have no word in the vocabulary.
    default:
      return [];
  }
}
