import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { createSseFramer, parseSse } from '../../lib/sse.ts';
import { SekishoError } from '../../spec/errors.ts';
import { ConnectTimeout, type Reach } from './reach.ts';
import { upstreamError } from './upstream-error.ts';
import { createWatchdog, type Phase, type Watchdog } from './watchdog.ts';

export interface Timeouts {
  connectMs: number;
  firstByteMs: number;
  betweenDataMs: number;
}

export interface UpstreamOptions {
  /** Credential and whatever else each call carries; made per call, so that no secret lies about in text. */
  headers: () => Record<string, string>;
  timeouts: Timeouts;
  /** Absent where calls go through a proxy: reaching the host itself would prove nothing. */
  reach?: Reach;
  /** Whether a run of events holds data beyond pings; only data resets the timer between data. */
  hasData: (run: Buffer) => boolean;
}

export interface UpstreamCall {
  url: string;
  /** Absent for GET. */
  body?: string;
  target: string;
  signal: AbortSignal;
  headers?: Readonly<Record<string, string>>;
}

export interface JsonAnswer {
  json: JsonObject;
  text: string;
}

/** The events of a stream in runs of whole ones. Throws a SekishoError where it breaks; returning early aborts. */
export type EventRuns = AsyncGenerator<Buffer, void, undefined>;

/** An event stream whose first data has arrived. */
export interface OpenStream {
  runs: EventRuns;
  /** The answer is complete: who stops reading now leaves the connection to the next call. */
  complete(): void;
}

export interface Upstream {
  json(call: UpstreamCall): Promise<JsonAnswer>;
  /** The runs of an event stream, or the whole answer of an upstream that does not stream. */
  stream(call: UpstreamCall): Promise<OpenStream | JsonAnswer>;
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;
/** Comments and pings that come before the first data are kept up to this size. */
const MAX_PRELUDE_BYTES = 64 * 1024;
/** How long a complete answer is given to close its body. */
const DRAIN_MS = 1_000;

/** Calls to one upstream: timed, bounded, abortable, with every failure in our own words. */
export function createUpstream(options: UpstreamOptions): Upstream {
  /** Sends the request; the answer's head has come when this resolves. */
  async function open(call: UpstreamCall): Promise<{ response: Response; exchange: Exchange }> {
    if (call.signal.aborted) throw new SekishoError('caller_left', { cause: call.signal.reason });
    const exchange = createExchange(call, options.timeouts);
    const own = options.headers();
    try {
      const url = new URL(call.url);
      const reaching = options.reach?.reach(url, options.timeouts.connectMs);
      if (reaching !== undefined) await Promise.race([reaching, exchange.aborted()]);
      const response = await fetch(url, {
        method: call.body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...call.headers, ...own },
        ...(call.body !== undefined && { body: call.body }),
        redirect: 'manual',
        signal: exchange.signal,
      });
      options.reach?.answered(url);
      if (response.ok) return { response, exchange };
      const { status, headers } = response;
      const body = await readText(response, MAX_ERROR_BYTES).catch(() => '');
      throw upstreamError({ target: call.target, status, headers, body, nowMs: Date.now(), secrets: secretsOf(own) });
    } catch (thrown) {
      exchange.close();
      throw exchange.explain(thrown, 'upstream_unreachable');
    }
  }

  async function whole(call: UpstreamCall, response: Response, exchange: Exchange): Promise<JsonAnswer> {
    try {
      const text = await readText(response, MAX_ANSWER_BYTES);
      const json = parseJson(text);
      if (isJsonObject(json)) return { json, text };
      throw broken(call.target, `not a JSON object: ${text.slice(0, 500)}`);
    } catch (thrown) {
      exchange.close();
      throw exchange.explain(thrown, 'upstream_broken');
    } finally {
      exchange.settle();
    }
  }

  return {
    json: async (call) => {
      const { response, exchange } = await open(call);
      return whole(call, response, exchange);
    },
    stream: async (call) => {
      const { response, exchange } = await open(call);
      if (response.body === null || (response.headers.get('content-type') ?? '').includes('application/json')) {
        return whole(call, response, exchange);
      }
      let isComplete = false;
      const runs = readRuns(response.body, exchange, { hasData: options.hasData, isComplete: () => isComplete });
      const complete = (): void => {
        isComplete = true;
      };
      // Comments before the first data are no answer yet: until then another target may be tried.
      const prelude: Buffer[] = [];
      let bytes = 0;
      for (let first = await runs.next(); first.done !== true; first = await runs.next()) {
        if (options.hasData(first.value)) {
          const opening = prelude.length === 0 ? first.value : Buffer.concat([...prelude, first.value]);
          return { runs: startingWith(opening, runs), complete };
        }
        bytes += first.value.length;
        if (bytes <= MAX_PRELUDE_BYTES) prelude.push(first.value);
      }
      throw broken(call.target, 'a stream without data');
    },
  };
}

/** One call under way: its abort signal, its timer, and the reason why it broke. */
interface Exchange {
  signal: AbortSignal;
  watchdog: Watchdog;
  /** Rejects when the call is broken off. */
  aborted(): Promise<never>;
  /** The answer is complete: the caller's signal and the timer count no longer. */
  settle(): void;
  /** Settles and breaks off whatever is still under way. */
  close(): void;
  /** Why the call broke: the caller left, time ran out, or else `otherwise`. */
  explain(thrown: unknown, otherwise: 'upstream_unreachable' | 'upstream_broken'): unknown;
}

function createExchange(call: UpstreamCall, timeouts: Timeouts): Exchange {
  const controller = new AbortController();
  const leave = (): void => controller.abort(call.signal.reason);
  call.signal.addEventListener('abort', leave, { once: true });
  const watchdog = createWatchdog({ ...timeouts, onExpired: () => controller.abort() });
  const values = { target: call.target };
  const timeout = (phase: Phase, cause: unknown): SekishoError =>
    new SekishoError('upstream_timeout', { values: { ...values, phase }, cause });
  const settle = (): void => {
    watchdog.stop();
    call.signal.removeEventListener('abort', leave);
  };
  return {
    signal: controller.signal,
    watchdog,
    aborted: () =>
      new Promise((_, reject) => {
        controller.signal.addEventListener('abort', () => reject(new Error('The call was broken off.')), { once: true });
      }),
    settle,
    close: () => {
      settle();
      controller.abort();
    },
    explain: (thrown, otherwise) => {
      if (call.signal.aborted) return new SekishoError('caller_left', { cause: thrown });
      if (watchdog.expired !== undefined) return timeout(watchdog.expired, thrown);
      if (thrown instanceof ConnectTimeout) return timeout('connect', thrown);
      return thrown instanceof SekishoError ? thrown : new SekishoError(otherwise, { values, cause: thrown });
    },
  };
}

async function* readRuns(
  body: ReadableStream<Uint8Array>,
  exchange: Exchange,
  judge: { hasData: (run: Buffer) => boolean; isComplete: () => boolean },
): EventRuns {
  const framer = createSseFramer();
  const reader = body.getReader();
  const { watchdog } = exchange;
  let ended = false;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      ended = done;
      const whole = done ? framer.end() : framer.push(value);
      if (whole !== undefined && (!done || isWhole(whole))) {
        const run = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength);
        if (judge.hasData(run)) watchdog.touch();
        // The time that the reader of the runs takes is not the upstream's.
        watchdog.pause();
        yield run;
        watchdog.resume();
      }
      if (done) return;
    }
  } catch (thrown) {
    throw exchange.explain(thrown, 'upstream_broken');
  } finally {
    if (ended) exchange.settle();
    else if (judge.isComplete()) drain(reader, exchange);
    else {
      exchange.close();
      await reader.cancel().catch(() => undefined);
    }
  }
}

/** Reads a complete answer to the end of its body in the background, so that its connection can be used again. */
function drain(reader: { read(): Promise<{ done: boolean }> }, exchange: Exchange): void {
  exchange.settle();
  const timer = setTimeout(exchange.close, DRAIN_MS);
  const readOn = async (): Promise<void> => {
    for (;;) if ((await reader.read()).done) return;
  };
  readOn()
    .catch(() => undefined)
    .finally(() => clearTimeout(timer));
}

/** An event that lacks its blank line at the end of a body is taken where it is whole, not where it was torn. */
function isWhole(run: Uint8Array): boolean {
  return parseSse(run).every(({ data }) => data === '[DONE]' || parseJson(data) !== undefined);
}

/** What no caller may be shown, whatever an upstream echoes: the values of the headers that it was sent. */
function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  return Object.values(headers)
    .map((value) => value.replace(/^Bearer /, ''))
    .filter((value) => value.length >= 8);
}

async function* startingWith(first: Buffer, rest: EventRuns): EventRuns {
  try {
    yield first;
    yield* rest;
  } finally {
    await rest.return();
  }
}

/** The body as text, refused beyond `maxBytes`: a content length may lie, so bytes are counted. */
async function readText(response: Response, maxBytes: number): Promise<string> {
  const stated = Number(response.headers.get('content-length') ?? Number.NaN);
  if (stated <= maxBytes && response.headers.get('content-encoding') === null) return response.text();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`The answer is larger than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function broken(target: string, why: string): SekishoError {
  return new SekishoError('upstream_broken', { values: { target }, cause: new Error(why) });
}
