import type { PassingWire } from '../kit/passing-reader.ts';
import { createEventDecoder } from './decode-event.ts';

/**
 * What the Anthropic wire tells metering: usage in message_start and message_delta, the finish reason, an
 * error, the end. Inside a JSON string the quotes of these names are escaped, so that the text of an answer
 * does not match.
 */
export function createPassing(target: string): PassingWire {
  const decoder = createEventDecoder(target, Date.now);
  let finished = false;
  return {
    telling: /"(?:message_start|message_delta|message_stop|error)"/,
    endMark: Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n'),
    isEnd: decoder.isEnd,
    finished: () => finished,
    tell(event) {
      const parts = decoder
        .decode(event)
        .filter((part) => part.type === 'usage' || part.type === 'finish' || part.type === 'error');
      finished ||= parts.some((part) => part.type === 'finish');
      return { parts, hidden: false };
    },
  };
}
