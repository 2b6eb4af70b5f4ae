/** Which recorded answer is given; absent, the request decides (tools asked for, a schema asked for, ...). */
export type AnswerName = 'plain' | 'tools' | 'parallel-tools' | 'json' | 'thinking';

/** A place in an answer. `events` counts whole events of a stream that have gone out. */
export type Place = 'before-headers' | 'after-headers' | { events: number } | 'end';

/** What the fake provider does with one request. Everything left out is as a healthy upstream does it. */
export interface Behaviour {
  answer?: AnswerName;
  /** Answers with this status and an error body of the wire. */
  fail?: { status: number; retryAfter?: string; body?: string };
  /** Stands still at this place until `release()` or until the caller leaves. */
  stall?: { at: Place; ping?: Ping };
  /**
   * Breaks the connection at this place: `reset` by TCP reset, `cut` by closing without the last chunk,
   * `bad-chunk` by a chunk whose size is not a number.
   */
  break?: { at: Place; how: 'reset' | 'cut' | 'bad-chunk' };
  /** Rewrites the events of a stream, each with its blank line, before they go out. */
  events?: (events: readonly string[]) => string[];
  /** How the bytes are put on the wire: event by event (default), byte by byte, or all in one write. */
  pieces?: 'event' | 'byte' | 'one';
  /** Compresses the answer, as `content-encoding` then says. */
  encoding?: 'gzip';
  /** Answers with this content type in place of the right one. */
  contentType?: string;
  /** Replaces the body of a plain answer. */
  body?: string;
}

/** What is sent while standing still. The interval is the provider's own: a test waits for effects only. */
export interface Ping {
  text: string | Uint8Array;
  everyMs: number;
}

/** A comment line, as many upstreams send to keep proxies awake. */
export const COMMENT_PING: Ping = { text: ': keep-alive\n\n', everyMs: 5 };

/** The heartbeat event of the Anthropic wire. */
export const ANTHROPIC_PING: Ping = { text: 'event: ping\ndata: {"type": "ping"}\n\n', everyMs: 5 };

/** Every line end becomes CR LF. */
export function withCrlf(events: readonly string[]): string[] {
  return events.map((event) => event.replaceAll('\n', '\r\n'));
}

/** The stream without its closing sentinel. */
export function withoutDone(events: readonly string[]): string[] {
  return events.filter((event) => !event.startsWith('data: [DONE]'));
}

/** The last event lacks the blank line that would end it. */
export function withoutLastBlankLine(events: readonly string[]): string[] {
  return events.map((event, index) => (index === events.length - 1 ? event.replace(/\n\n$/, '') : event));
}

/** Puts `event` before the event at `index`. */
export function withInserted(index: number, event: string): (events: readonly string[]) => string[] {
  return (events) => [...events.slice(0, index), event, ...events.slice(index)];
}

/** Puts a piece of text of `bytes` bytes into the delta of an OpenAI stream after the first event. */
export function withHugeDelta(bytes: number): (events: readonly string[]) => string[] {
  const chunk = {
    id: 'chatcmpl-huge',
    object: 'chat.completion.chunk',
    created: 1_760_000_000,
    model: 'gpt-4o-mini-2024-07-18',
    choices: [{ index: 0, delta: { content: 'あ'.repeat(Math.ceil(bytes / 3)) }, finish_reason: null }],
  };
  return withInserted(1, `data: ${JSON.stringify(chunk)}\n\n`);
}
