import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../../lib/json.ts';
import type { PassageInput } from '../../spec/chat.ts';
import type { Citation } from '../../spec/citation.ts';

/**
 * What a citation of the wire says, once for each of its documents. The wire tells which document supports
 * which span of the answer, not where in the document: the words themselves where the document has them, or
 * else the whole of it.
 */
export function decodeCitation(citation: JsonObject, passages: readonly PassageInput[]): Citation[] {
  const text = stringAt(citation, 'text') ?? '';
  return arrayAt(citation, 'sources')
    .filter(isJsonObject)
    .flatMap((source): Citation[] => {
      const id = stringAt(source, 'id') ?? stringAt(objectAt(source, 'document') ?? {}, 'id');
      const passage = passages.find((each) => each.id === id);
      if (passage === undefined) return [];
      const found = text === '' ? -1 : passage.content.indexOf(text);
      const start = Math.max(0, found);
      const end = found === -1 ? passage.content.length : found + text.length;
      const answerStart = numberAt(citation, 'start');
      const answerEnd = numberAt(citation, 'end');
      return [
        {
          document_id: passage.id,
          start,
          end,
          sentence: passage.content.slice(start, end),
          ...(answerStart !== undefined && { answer_start: answerStart }),
          ...(answerEnd !== undefined && { answer_end: answerEnd }),
          ...(passage.title !== undefined && { title: passage.title }),
        },
      ];
    });
}
