import { parseSse, type SseEvent } from '../../lib/sse.ts';

const LETTER_D = 0x64;
const LETTER_E = 0x65;
const PING = Buffer.from('ping');

/** True where a run holds something that the upstream had to say: not only comments, blank lines and pings. */
export function bearsData(run: Buffer): boolean {
  // A run that begins with a field and speaks of no ping is data; only the rest needs a closer look.
  if ((run[0] === LETTER_D || run[0] === LETTER_E) && !run.includes(PING)) return true;
  return parseSse(run).some((event) => event.data !== '' && !isPing(event));
}

/** True for a heartbeat: an event named ping, or data that says it is one. */
export function isPing({ event, data }: SseEvent): boolean {
  return event === 'ping' || /^\{\s*"type"\s*:\s*"ping"\s*\}$/.test(data);
}
