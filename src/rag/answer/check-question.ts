import type { Message } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { textOf } from './condense-question.ts';

const LONGEST_QUESTION = 8_000;
const MOST_TURNS = 200;
const LONGEST_HISTORY = 200_000;

/** Refuses what cannot be a question, before anything is asked. @throws SekishoError invalid_request. */
export function checkQuestion({ question, history }: { question: string; history: readonly Message[] }): void {
  if (question.trim() === '') throw wrong('query', 'it is empty');
  if (question.length > LONGEST_QUESTION) throw wrong('query', `it is longer than ${LONGEST_QUESTION} characters`);
  if (history.length > MOST_TURNS) throw wrong('history', `it has more than ${MOST_TURNS} messages`);
  const length = history.reduce((sum, turn) => sum + textOf(turn).length, 0);
  if (length > LONGEST_HISTORY) throw wrong('history', `it is longer than ${LONGEST_HISTORY} characters`);
}

function wrong(param: string, problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param });
}
