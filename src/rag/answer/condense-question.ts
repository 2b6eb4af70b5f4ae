import type { Message } from '../../spec/chat.ts';
import { askWriter, type Rewriting, type WriterDeps } from './rewrite/ask-writer.ts';

const INSTRUCTION =
  'Rewrite the last question so that it can be understood without the conversation. ' +
  'Keep its language. Answer with the question alone.';
/** Turns that a condensing call is shown, and characters of a question that is searched for. */
const MAX_TURNS = 6;
const MAX_QUERY = 4_000;

/**
 * A question that stands by itself. With a model that writes, the model rewrites it; otherwise the question
 * before it is searched along, because a follow-up ("and in Japanese?") names its subject there.
 */
export async function condenseQuestion(
  deps: WriterDeps,
  { question, history }: { question: string; history: readonly Message[] },
  rewriting: Rewriting,
): Promise<string> {
  const before = history.filter(({ role }) => role !== 'system');
  if (before.length === 0) return question;
  const conversation = before
    .slice(-MAX_TURNS)
    .map((turn) => `${turn.role}: ${textOf(turn)}`)
    .join('\n');
  const rewritten = await askWriter(deps, rewriting, {
    instruction: INSTRUCTION,
    text: `${conversation}\nquestion: ${question}`,
    maxOutputTokens: 200,
  });
  return rewritten === undefined ? withPrevious(question, before) : rewritten.slice(0, MAX_QUERY) || question;
}

/** A follow-up with the question before it. */
export function withPrevious(question: string, history: readonly Message[]): string {
  const previous = history.findLast(({ role }) => role === 'user');
  return (previous === undefined ? question : `${question}\n${textOf(previous)}`).slice(0, MAX_QUERY);
}

/** The text of a message, its other parts left out. */
export function textOf(message: Message): string {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
