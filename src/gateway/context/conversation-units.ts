import type { Message } from '../../spec/chat.ts';

/** Messages that stay or go together: one message, or a call of tools with everything up to its results. */
export interface ConversationUnit {
  /** Index of the first message, and behind the last. */
  from: number;
  to: number;
  /** `lead`: instructions before the conversation. `user`: what a person said. `reply`: everything else. */
  kind: 'lead' | 'user' | 'reply';
  pinned: boolean;
}

/**
 * Cuts a conversation where it may be cut. A call and its result are matched by id, the latest open call of that id
 * first, because some callers use ids again.
 */
export function conversationUnits(messages: readonly Message[]): ConversationUnit[] {
  const units: ConversationUnit[] = [];
  const openCalls = new Map<string, number>();
  let leading = true;
  messages.forEach((message, index) => {
    leading &&= message.role === 'system';
    const start = startOf(message, index, openCalls);
    const own: ConversationUnit = { from: start, to: index + 1, kind: kindOf(message, leading), pinned: false };
    for (let last = units.at(-1); last !== undefined && last.to > start; last = units.at(-1)) {
      own.from = Math.min(own.from, last.from);
      own.kind = 'reply';
      own.pinned ||= last.pinned;
      units.pop();
    }
    own.pinned ||= message.pinned === true;
    units.push(own);
    for (const part of message.parts) if (part.type === 'tool-call') openCalls.set(part.id, index);
  });
  return units;
}

/** The message that a message must stay with: the one that asked for its results, or itself. */
function startOf(message: Message, index: number, openCalls: Map<string, number>): number {
  let start = index;
  for (const part of message.parts) {
    if (part.type !== 'tool-result') continue;
    start = Math.min(start, openCalls.get(part.id) ?? index);
    openCalls.delete(part.id);
  }
  return start;
}

function kindOf(message: Message, leading: boolean): ConversationUnit['kind'] {
  if (leading) return 'lead';
  const answersTools = message.parts.length > 0 && message.parts.every((part) => part.type === 'tool-result');
  return message.role === 'user' && !answersTools ? 'user' : 'reply';
}
