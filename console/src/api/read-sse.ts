/** One server-sent event. */
export interface SseEvent {
  event: string;
  data: string;
}

/** A single event may not grow beyond this many characters; a server that sends more is not ours. */
const LONGEST_EVENT = 8_000_000;

/**
 * Reads server-sent events from a response body. Yields once per piece of network data, with the events that
 * it completed (perhaps none), so that a reader can measure the first byte and draw once per piece.
 * An event without its closing blank line is dropped, as the standard asks.
 */
export async function* readSse(body: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let pending = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      pending += decoder.decode(value, { stream: true }).replaceAll('\r', '');
      const blocks = pending.split('\n\n');
      pending = blocks.pop() ?? '';
      if (pending.length > LONGEST_EVENT) throw new Error('event too long');
      yield blocks.flatMap(parseEvent);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function parseEvent(block: string): SseEvent[] {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const value = line.slice(line.indexOf(':') + 1).replace(/^ /, '');
    if (line.startsWith('event:')) event = value;
    else if (line.startsWith('data:')) data.push(value);
  }
  return data.length === 0 ? [] : [{ event, data: data.join('\n') }];
}
