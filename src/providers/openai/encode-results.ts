import type { JsonObject } from '../../lib/json.ts';
import type { ContentPart, ToolResultPart } from '../../spec/chat.ts';
import { splitCallId } from '../kit/call-signature.ts';

/** Marks the text of a result that is a failure: the wire has no field for it. */
const FAILED = 'Error: ';

/**
 * Results of tools as messages of their own, which must directly follow the calls. The wire takes only text in
 * them: pictures and files of a result go into the message of the user that follows, each behind a note of the
 * call it belongs to, and the result says so.
 */
export function encodeResults(
  parts: readonly ContentPart[],
  encodePart: (part: ContentPart) => JsonObject[],
): { messages: JsonObject[]; beside: JsonObject[] } {
  const beside: JsonObject[] = [];
  const messages = parts.flatMap((part): JsonObject[] => {
    if (part.type !== 'tool-result') return [];
    const { id } = splitCallId(part.id);
    const others = part.content.filter((each) => each.type !== 'text').flatMap(encodePart);
    if (others.length > 0) {
      beside.push({ type: 'text', text: `Content of the result of the tool call ${id}:` }, ...others);
    }
    return [{ role: 'tool', tool_call_id: id, content: textOf(part, others.length) }];
  });
  return { messages, beside };
}

function textOf(part: ToolResultPart, moved: number): string {
  const text = part.content.map((each) => (each.type === 'text' ? each.text : '')).join('');
  const marked = part.isError === true && !/^error\b/i.test(text) ? FAILED + text : text;
  if (moved === 0) return marked;
  const note = 'The other content of this result follows in the next message of the user.';
  return marked === '' ? note : `${marked}\n${note}`;
}
