import type { CallOrigin, ModelGateway } from '../../../gateway/model-call.ts';
import type { CollectionName } from '../../../spec/ids.ts';
import { collectionTag } from '../../answer-tags.ts';

/** Route and wire of what quotes and does not write; it cannot rewrite a question. */
export const QUOTING = 'extractive';

export interface WriterDeps {
  gateway: Pick<ModelGateway, 'chat'>;
}

/** For whom a question is rewritten, and by which model. */
export interface Rewriting {
  /** For whom: limits and budget are those of whoever asked. */
  origin: Omit<CallOrigin, 'route'>;
  route: string;
  collection: CollectionName;
}

const LONGEST_ANSWER = 8_000;

/** What a model that writes says to a text; undefined where the route ends at one that only quotes. */
export async function askWriter(
  { gateway }: WriterDeps,
  { origin, route, collection }: Rewriting,
  asked: { instruction: string; text: string; maxOutputTokens: number },
): Promise<string | undefined> {
  if (route === QUOTING) return undefined;
  const answer = await gateway.chat({
    ...origin,
    // Who may read the collection may have it answered, whichever routes the key may call directly.
    principal: { ...origin.principal, allowedRoutes: [] },
    route,
    // The turns before may quote documents.
    cacheTags: [collectionTag(collection)],
    stream: false,
    request: () => ({
      messages: [
        { role: 'system', parts: [{ type: 'text', text: asked.instruction }] },
        { role: 'user', parts: [{ type: 'text', text: asked.text }] },
      ],
      maxOutputTokens: asked.maxOutputTokens,
    }),
  });
  // A route of another name may end at the quoting provider too, also as a fallback.
  if (answer.kind !== 'whole' || answer.facts.wire === QUOTING) return undefined;
  const said = answer.answer.result().parts.map((part) => (part.type === 'text' ? part.text : ''));
  return said.join('').trim().slice(0, LONGEST_ANSWER);
}
