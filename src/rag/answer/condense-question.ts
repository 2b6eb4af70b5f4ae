import type { CallOrigin, ModelGateway } from '../../gateway/model-call.ts';
import type { Message } from '../../spec/chat.ts';
import type { CollectionName, RequestId } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { collectionTag } from '../answer-tags.ts';

/** The part of a question that condensing reads. */
export interface Condensable {
  requestId: RequestId;
  principal: Principal;
  collection: CollectionName;
  question: string;
  history: readonly Message[];
  signal: AbortSignal;
  origin?: Partial<CallOrigin>;
}

const INSTRUCTION =
  'Rewrite the last question so that it can be understood without the conversation. ' +
  'Keep its language. Answer with the question alone.';
/** Turns that a condensing call is shown, and characters of a question that is searched for. */
const MAX_TURNS = 6;
const MAX_QUERY = 4_000;
/** Route and wire of what quotes and does not write; it cannot rewrite a question. */
const QUOTING = 'extractive';

/**
 * A question that stands by itself. With a model that writes, the model rewrites it; otherwise the question
 * before it is searched along, because a follow-up ("and in Japanese?") names its subject there.
 */
export async function condenseQuestion(
  deps: { gateway: Pick<ModelGateway, 'chat'>; answerRoute: string },
  asked: Condensable,
): Promise<string> {
  const before = asked.history.filter(({ role }) => role !== 'system');
  if (before.length === 0) return asked.question;
  if (deps.answerRoute === QUOTING) return withPrevious(asked.question, before);
  const conversation = before
    .slice(-MAX_TURNS)
    .map((turn) => `${turn.role}: ${textOf(turn)}`)
    .join('\n');
  const answer = await deps.gateway.chat({
    ...asked.origin,
    requestId: asked.requestId,
    principal: { ...asked.principal, allowedRoutes: [] },
    route: deps.answerRoute,
    signal: asked.signal,
    // The turns before may quote documents.
    cacheTags: [collectionTag(asked.collection)],
    stream: false,
    request: () => ({
      messages: [
        { role: 'system', parts: [{ type: 'text', text: INSTRUCTION }] },
        { role: 'user', parts: [{ type: 'text', text: `${conversation}\nquestion: ${asked.question}` }] },
      ],
      maxOutputTokens: 200,
    }),
  });
  // A route of another name may end at the quoting provider too, also as a fallback.
  if (answer.kind !== 'whole' || answer.facts.wire === QUOTING) return withPrevious(asked.question, before);
  const rewritten = answer.answer
    .result()
    .parts.map((part) => (part.type === 'text' ? part.text : ''))
    .join('');
  return rewritten.trim().slice(0, MAX_QUERY) || asked.question;
}

function withPrevious(question: string, before: readonly Message[]): string {
  const previous = before.findLast(({ role }) => role === 'user');
  return (previous === undefined ? question : `${question}\n${textOf(previous)}`).slice(0, MAX_QUERY);
}

/** The text of a message, its other parts left out. */
export function textOf(message: Message): string {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
