import { parseJson } from '../../lib/json.ts';
import type { SseEvent } from '../../lib/sse.ts';
import type { EventFramer } from './event-source.ts';

const LF = 10;
const BLANK = 32;
/** A line longer than this is no event of any model. */
const MAX_TAIL_BYTES = 16 * 1024 * 1024;

/**
 * Cuts a body of JSON lines (application/x-ndjson) into runs of whole lines. A last line without its line feed
 * is taken where it is whole, and dropped where it was torn.
 */
export function createLineFramer(maxTailBytes: number = MAX_TAIL_BYTES): EventFramer {
  let tail: Buffer[] = [];
  let tailBytes = 0;

  function hold(piece: Buffer): void {
    if (piece.length === 0) return;
    tail.push(piece);
    tailBytes += piece.length;
    if (tailBytes > maxTailBytes) throw new RangeError(`a line of more than ${maxTailBytes} bytes`);
  }

  function takeWith(piece: Buffer): Buffer {
    if (tail.length === 0) return piece;
    const whole = Buffer.concat([...tail, piece]);
    tail = [];
    tailBytes = 0;
    return whole;
  }

  return {
    push(packet) {
      const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
      const end = bytes.lastIndexOf(LF) + 1;
      if (end === 0) {
        hold(bytes);
        return undefined;
      }
      const run = takeWith(bytes.subarray(0, end));
      hold(bytes.subarray(end));
      return run;
    },
    end() {
      const rest = takeWith(Buffer.alloc(0));
      return parseJson(rest.toString('utf8')) === undefined ? undefined : rest;
    },
  };
}

/** The lines of a run as events without names; blank lines are none. */
export function parseLines(run: Buffer): SseEvent[] {
  return run
    .toString('utf8')
    .split('\n')
    .map((line) => ({ data: line.trim() }))
    .filter(({ data }) => data !== '');
}

/** True where a run of lines holds more than blanks. */
export function linesBearData(run: Buffer): boolean {
  return run.some((byte) => byte > BLANK);
}
