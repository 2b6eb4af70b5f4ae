import type { ModelAnswer, ModelCall } from '../gateway/model-call.ts';
import type { StreamFrame } from '../ports/provider.ts';
import type { ChatResult } from '../spec/chat.ts';
import { SekishoError, toSekishoError } from '../spec/errors.ts';
import type { CollectionName } from '../spec/ids.ts';
import { noUsage } from '../spec/usage.ts';
import { textOf } from './answer/condense-question.ts';
import type { AnswerEvent, AnswerFacts, AnswerQuestion, Question } from './answer-question.ts';

export type AnswerAsChat = (call: ModelCall, collection: CollectionName) => Promise<ModelAnswer>;

/** Answers a chat call to `rag/<collection>`: the last user message is the question, what stands before it the history. */
export function createAnswerAsChat(deps: {
  answerQuestion: AnswerQuestion;
  mayUse: (call: ModelCall) => void;
}): AnswerAsChat {
  return async (call, collection) => {
    deps.mayUse(call);
    const events = deps.answerQuestion(questionOf(call, collection));
    // Up to here a failure is an answer with a status; afterwards it is the end of a stream.
    let begun: AnswerFacts | undefined;
    for (let next = await events.next(); next.done !== true; next = await events.next()) {
      if (next.value.type !== 'begun') continue;
      begun = next.value.facts;
      break;
    }
    if (begun === undefined) throw new SekishoError('internal', { cause: new Error('an answer without a model') });
    const facts = { ...begun, route: call.route };
    if (call.stream) return { kind: 'stream', facts, frames: framesOf(events) };
    const result = await resultOf(events);
    const answer = { usage: result.usage, result: () => result };
    return { kind: 'whole', facts: { ...facts, costMicros: facts.costMicros ?? null }, answer };
  };
}

function questionOf(call: ModelCall, collection: CollectionName): Question {
  const { messages } = call.request();
  const at = messages.findLastIndex(({ role }) => role === 'user');
  const asked = messages[at];
  const question = asked === undefined ? '' : textOf(asked).trim();
  if (question === '') {
    throw new SekishoError('invalid_request', {
      values: { problem: 'messages: a question of the user is required' },
      param: 'messages',
    });
  }
  const { requestId, principal, signal, stream } = call;
  const { endUser, tags, session, cache, traceParent } = call;
  const origin = {
    ...(endUser !== undefined && { endUser }),
    ...(tags !== undefined && { tags }),
    ...(session !== undefined && { session }),
    ...(cache !== undefined && { cache }),
    ...(traceParent !== undefined && { traceParent }),
  };
  // A system message of the caller would compete with the rules that keep the answer to the documents.
  const history = messages.slice(0, at).filter(({ role }) => role !== 'system');
  return { requestId, principal, signal, stream, origin, collection, question, history };
}

async function* framesOf(events: AsyncGenerator<AnswerEvent>): AsyncGenerator<StreamFrame> {
  try {
    for await (const event of events) if (event.type === 'part') yield { parts: [event.part] };
  } catch (thrown) {
    yield { parts: [{ type: 'error', error: toSekishoError(thrown) }] };
  }
}

async function resultOf(events: AsyncGenerator<AnswerEvent>): Promise<ChatResult> {
  const result: ChatResult = { id: '', model: '', createdMs: 0, parts: [], finish: 'stop', usage: noUsage() };
  for await (const event of events) {
    if (event.type === 'done') {
      result.parts = [{ type: 'text', text: event.result.answer }];
      result.citations = event.result.citations;
    } else if (event.type === 'part') {
      const { part } = event;
      if (part.type === 'start') Object.assign(result, { id: part.id, model: part.model, createdMs: part.createdMs });
      if (part.type === 'usage') result.usage = part.usage;
      if (part.type === 'finish') result.finish = part.finish;
    }
  }
  return result;
}
