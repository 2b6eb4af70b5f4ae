import { arrayAt, isJsonObject, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import { readJson, send, type Caller } from './send.ts';

/** Something that can be asked: a collection of documents, or a route to a model. */
export interface Choice {
  /** The public model name. */
  id: string;
  kind: 'documents' | 'model';
  /** The collection's or the route's own name. */
  name: string;
  description?: string;
}

const RAG_PREFIX = 'rag/';

/** What this key may ask, as GET /v1/models says: collections first, and nothing that only embeds. */
export async function listChoices(caller: Caller): Promise<Choice[]> {
  const body = await readJson(await send('/v1/models', caller));
  const choices = arrayAt(body, 'data').filter(isJsonObject).flatMap(choiceOf);
  const documentsFirst = (choice: Choice) => (choice.kind === 'documents' ? 0 : 1);
  return choices.toSorted((a, b) => documentsFirst(a) - documentsFirst(b) || a.id.localeCompare(b.id));
}

function choiceOf(model: JsonObject): Choice[] {
  const id = stringAt(model, 'id');
  const kinds = arrayAt(model, 'kinds');
  if (id === undefined || (kinds.length > 0 && !kinds.includes('chat'))) return [];
  const description = stringAt(model, 'description');
  const isDocuments = id.startsWith(RAG_PREFIX);
  return [
    {
      id,
      kind: isDocuments ? 'documents' : 'model',
      name: isDocuments ? id.slice(RAG_PREFIX.length) : id,
      ...(description === undefined ? {} : { description }),
    },
  ];
}
