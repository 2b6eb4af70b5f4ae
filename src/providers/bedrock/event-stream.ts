import type { SseEvent } from '../../lib/sse.ts';
import type { EventFramer } from '../kit/event-source.ts';

const PRELUDE_BYTES = 12;
/** Prelude, and the checksum at the end. */
const MIN_MESSAGE_BYTES = 16;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Begins the name of an event that tells why there is no answer. */
export const EXCEPTION = 'exception:';

/**
 * Cuts a body of `application/vnd.amazon.eventstream` into runs of whole messages. A message begins with its
 * length, the length of its headers and a checksum of the two, big-endian
 * (smithy.io/2.0/aws/amazon-eventstream.html). What is left at the end of the body is torn, and dropped.
 */
export function createMessageFramer(): EventFramer {
  let tail: Buffer[] = [];
  let tailBytes = 0;
  /** How many bytes the message under way needs; known once its prelude is there. */
  let wanted = PRELUDE_BYTES;

  return {
    push(packet) {
      tail.push(Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength));
      tailBytes += packet.byteLength;
      if (tailBytes < wanted) return undefined;
      const bytes = tail.length === 1 && tail[0] !== undefined ? tail[0] : Buffer.concat(tail);
      let end = 0;
      wanted = PRELUDE_BYTES;
      while (bytes.length - end >= PRELUDE_BYTES) {
        const length = messageLength(bytes, end);
        if (bytes.length - end < length) {
          wanted = length;
          break;
        }
        end += length;
      }
      const rest = bytes.subarray(end);
      tail = rest.length === 0 ? [] : [rest];
      tailBytes = rest.length;
      return end === 0 ? undefined : bytes.subarray(0, end);
    },
    end: () => undefined,
  };
}

/** @throws RangeError where no message begins here. */
function messageLength(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at);
  const sound = Bun.hash.crc32(bytes.subarray(at, at + 8)) === bytes.readUInt32BE(at + 8);
  if (!sound || length < MIN_MESSAGE_BYTES || length > MAX_MESSAGE_BYTES) throw new RangeError('not an event stream');
  return length;
}

/**
 * Reads the messages of a run: their name, and their JSON as text. A message that is damaged becomes an
 * exception of its own. The codec is loaded with the first stream: it takes tens of milliseconds.
 */
export async function loadMessageParser(): Promise<(run: Buffer) => SseEvent[]> {
  const { EventStreamCodec } = await import('@smithy/eventstream-codec');
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes).toString('utf8'),
    (text) => Buffer.from(text),
  );

  function parse(message: Buffer): SseEvent {
    const { headers, body } = codec.decode(message);
    const header = (name: string): string => String(headers[name]?.value ?? '');
    const data = Buffer.from(body).toString('utf8') || '{}';
    switch (header(':message-type')) {
      case 'exception':
        return { event: EXCEPTION + header(':exception-type'), data };
      case 'error':
        return {
          event: EXCEPTION + header(':error-code'),
          data: JSON.stringify({ message: header(':error-message') }),
        };
      default:
        return { event: header(':event-type'), data };
    }
  }

  return (run) => {
    const events: SseEvent[] = [];
    for (let at = 0; at < run.length;) {
      const length = run.readUInt32BE(at);
      try {
        events.push(parse(run.subarray(at, at + length)));
      } catch (thrown) {
        const message = thrown instanceof Error ? thrown.message : 'damaged';
        events.push({ event: `${EXCEPTION}Damaged`, data: JSON.stringify({ message }) });
        return events;
      }
      at += length;
    }
    return events;
  };
}
