import type { Message } from '../../../spec/chat.ts';
import { textOf } from '../condense-question.ts';

const ADDRESS = /(?:https?:\/\/|ftp:\/\/|www\.)[^\s<>"'`)\]\u3000-\u303f]+/gi;
const MOST = 200;

/** Whether an address is one that the user wrote: of all addresses only those are not somebody else's. */
export function ownAddresses(conversation: readonly Message[]): (address: string) => boolean {
  const said = conversation.filter(({ role }) => role === 'user').map(textOf);
  const own = new Set(
    said
      .flatMap((text) => text.match(ADDRESS) ?? [])
      .slice(0, MOST)
      .map(trimmed),
  );
  return (address) => own.has(trimmed(address));
}

function trimmed(address: string): string {
  return address.replace(/[.,;:!?]+$/, '');
}
