const LF = 10;
const CR = 13;
const LF_LF = Buffer.from('\n\n');
const LF_CR = Buffer.from('\n\r');
const CR_CR = Buffer.from('\r\r');
const BLANK_LINE = Buffer.from('\n\n');

/** One server-sent event. Events without a data line have the data `''`. */
export interface SseEvent {
  event?: string;
  data: string;
}

/** Cuts a byte stream of server-sent events into runs of whole events. */
export interface SseFramer {
  /**
   * Takes a packet; gives every event that is now complete as one run of bytes, unchanged, or undefined.
   * @throws RangeError when an unfinished event grows beyond the limit.
   */
  push(packet: Uint8Array): Buffer | undefined;
  /**
   * The end of the stream: an event with data that only lacks its blank line is given with one added, as
   * many servers forget it; anything else that is left is dropped.
   */
  end(): Buffer | undefined;
}

/**
 * A framer that holds back only the unfinished tail. The search for blank lines is native and runs once
 * over every byte, so a line that comes in many packets costs no more than in one.
 * An event ends with an empty line; lines end with LF, CR LF or CR
 * (WHATWG HTML, "Interpreting an event stream").
 */
export function createSseFramer(maxTailBytes: number = 16 * 1024 * 1024): SseFramer {
  let tail: Buffer[] = [];
  let tailBytes = 0;

  function hold(piece: Buffer): void {
    if (piece.length === 0) return;
    tail.push(piece);
    tailBytes += piece.length;
    if (tailBytes > maxTailBytes) throw new RangeError(`an event of more than ${maxTailBytes} bytes`);
  }

  function takeTail(piece: Buffer): Buffer {
    if (tail.length === 0) return piece;
    tail.push(piece);
    const whole = Buffer.concat(tail);
    tail = [];
    tailBytes = 0;
    return whole;
  }

  return {
    push(packet) {
      const bytes = asBuffer(packet);
      const end = endOfLastEvent(bytes, tail.at(-1)?.at(-1));
      if (end === 0) {
        hold(bytes);
        return undefined;
      }
      if (end === bytes.length) return takeTail(bytes);
      const run = takeTail(bytes.subarray(0, end));
      hold(bytes.subarray(end));
      return run;
    },
    end() {
      const rest = takeTail(Buffer.alloc(0));
      return parseSse(rest).some((event) => event.data !== '') ? Buffer.concat([rest, BLANK_LINE]) : undefined;
    },
  };
}

/** Where the last complete event in `bytes` ends; 0 where none does. `before` is the byte that came before them. */
function endOfLastEvent(bytes: Buffer, before: number | undefined): number {
  const { length } = bytes;
  if (length === 0) return 0;
  // Nearly every packet of a model's stream ends with its event.
  if (bytes[length - 1] === LF && bytes[length - 2] === LF) return length;
  let end = after(bytes.lastIndexOf(LF_LF));
  if (bytes.indexOf(CR) !== -1) {
    const mixed = Math.max(after(bytes.lastIndexOf(LF_CR)), after(bytes.lastIndexOf(CR_CR)));
    // An empty line that ends with CR may end with CR LF.
    end = Math.max(end, mixed > 0 && bytes[mixed] === LF ? mixed + 1 : mixed);
  }
  if (end > 0 || before === undefined) return end;
  const [first] = bytes;
  const spansPackets = (before === LF && (first === LF || first === CR)) || (before === CR && first === CR);
  if (!spansPackets) return 0;
  return first === CR && bytes[1] === LF ? 2 : 1;
}

function after(found: number): number {
  return found === -1 ? 0 : found + 2;
}

/**
 * The events in a run of whole events. Lines of data are joined by a line feed; comments, ids and retry
 * times are left out; a byte order mark at the beginning is skipped. Events without data or name are none.
 */
export function parseSse(run: Uint8Array): SseEvent[] {
  let text = asBuffer(run).toString('utf8');
  if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  const events: SseEvent[] = [];
  let name: string | undefined;
  let data: string | undefined;
  const lines = text.includes('\r') ? text.split(/\r\n|\n|\r/) : text.split('\n');
  const dispatch = (): void => {
    if (name !== undefined || data !== undefined) {
      events.push(name === undefined ? { data: data ?? '' } : { event: name, data: data ?? '' });
    }
    name = undefined;
    data = undefined;
  };
  for (const line of lines) {
    if (line === '') {
      dispatch();
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    if (field === 'data') {
      const value = valueAfter(line, colon);
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (field === 'event') name = valueAfter(line, colon);
  }
  dispatch();
  return events;
}

/** The same run cut into its events, each with the bytes that end it; comments stay with the event they precede. */
export function splitSse(run: Uint8Array): Buffer[] {
  const bytes = asBuffer(run);
  const pieces: Buffer[] = [];
  let start = 0;
  let lineStart = true;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== LF && byte !== CR) {
      lineStart = false;
      const next = nextLineEnd(bytes, at);
      at = next - 1;
      continue;
    }
    if (byte === CR && bytes[at + 1] === LF) at++;
    if (lineStart) {
      pieces.push(bytes.subarray(start, at + 1));
      start = at + 1;
    }
    lineStart = true;
  }
  if (start < bytes.length) pieces.push(bytes.subarray(start));
  return pieces;
}

function nextLineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(LF, from);
  const end = lf === -1 ? bytes.length : lf;
  const cr = bytes.subarray(from, end).indexOf(CR);
  return cr === -1 ? end : from + cr;
}

/** What follows the colon, without the one blank that may stand after it. */
function valueAfter(line: string, colon: number): string {
  if (colon === -1) return '';
  return line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
}

/** The same bytes as a Buffer. Done once per packet: to touch the memory behind an array costs more than to search it. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
