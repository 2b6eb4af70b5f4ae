import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { PassageInput } from '../../spec/chat.ts';
import type { Citation } from '../../spec/citation.ts';

/**
 * What a citation of the wire says, once for each of its documents. The wire tells which document supports
 * which span of the answer, not where in the document: the words themselves where the document has them, or
 * else the whole of it. `answered` is the text of the answer as far as it is known.
 */
export function decodeCitation(
  citation: JsonObject,
  { passages, answered }: { passages: readonly PassageInput[]; answered: string },
): Citation[] {
  const text = stringAt(citation, 'text') ?? '';
  const span = answerSpan(citation, { text, answered });
  return arrayAt(citation, 'sources')
    .filter(isJsonObject)
    .flatMap((source): Citation[] => {
      const ids = [stringAt(source, 'id'), stringAt(objectAt(source, 'document') ?? {}, 'id')];
      const passage = passages.find((each) => ids.includes(each.id));
      if (passage === undefined) return [];
      const found = text === '' ? -1 : passage.content.indexOf(text);
      const start = Math.max(0, found);
      const end = found === -1 ? passage.content.length : found + text.length;
      return [
        {
          document_id: passage.id,
          start,
          end,
          sentence: passage.content.slice(start, end),
          ...span,
          ...(passage.title !== undefined && { title: passage.title }),
        },
      ];
    });
}

/**
 * Where the answer says what is cited, in UTF-16 code units. The wire does not tell its unit: the words at the
 * place do. Nothing where they stand elsewhere, as those of a plan do, which is no part of the answer.
 */
function answerSpan(
  citation: JsonObject,
  { text, answered }: { text: string; answered: string },
): Pick<Citation, 'answer_start' | 'answer_end'> {
  const start = numberAt(citation, 'start') ?? -1;
  const end = numberAt(citation, 'end') ?? -1;
  const elsewhere = (stringAt(citation, 'type') ?? 'TEXT_CONTENT') !== 'TEXT_CONTENT';
  if (elsewhere || text === '' || start < 0) return {};
  if (answered.slice(start, end) === text) return { answer_start: start, answer_end: end };
  const characters = Array.from(answered);
  if (characters.slice(start, end).join('') !== text) return {};
  const before = characters.slice(0, start).join('').length;
  return { answer_start: before, answer_end: before + text.length };
}
