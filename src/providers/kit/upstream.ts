import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { createSseFramer } from '../../lib/sse.ts';
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

/** An event stream whose first data has arrived. Throws a SekishoError where it breaks; returning early aborts. */
export type EventRuns = AsyncGenerator<Buffer, void, undefined>;

export interface Upstream {
  json(call: UpstreamCall): Promise<JsonAnswer>;
  /** The runs of an event stream, or the whole answer of an upstream that does not stream. */
  stream(call: UpstreamCall): Promise<{ runs: EventRuns } | JsonAnswer>;
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/** Calls to one upstream: timed, bounded, abortable, with every failure in our own words. */
export function createUpstream(options: UpstreamOptions): Upstream {
  /** Sends the request; the answer's head has come when this resolves. */
  async function open(call: UpstreamCall): Promise<{ response: Response; exchange: Exchange }> {
    const exchange = createExchange(call, options.timeouts);
    try {
      const url = new URL(call.url);
      await options.reach?.reach(url, options.timeouts.connectMs);
      const response = await fetch(url, {
        method: call.body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', ...call.headers, ...options.headers() },
        ...(call.body !== undefined && { body: call.body }),
        redirect: 'manual',
        signal: exchange.signal,
      });
      options.reach?.answered(url);
      if (response.ok) return { response, exchange };
      throw upstreamError(call.target, response, await readText(response, MAX_ERROR_BYTES).catch(() => ''));
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
      throw exchange.explain(thrown, 'upstream_broken');
    } finally {
      exchange.close();
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
      const runs = readRuns(response.body, exchange, options.hasData);
      // Comments before the first data are no answer yet: until then another target may be tried.
      for (let first = await runs.next(); first.done !== true; first = await runs.next()) {
        if (options.hasData(first.value)) return { runs: startingWith(first.value, runs) };
      }
      throw broken(call.target, 'a stream without data');
    },
  };
}

/** One call under way: its abort signal, its timer, and the reason why it broke. */
interface Exchange {
  signal: AbortSignal;
  watchdog: Watchdog;
  close(): void;
  /** Why the call broke: the caller left, time ran out, or else `otherwise`. */
  explain(thrown: unknown, otherwise: 'upstream_unreachable' | 'upstream_broken'): unknown;
}

function createExchange(call: UpstreamCall, timeouts: Timeouts): Exchange {
  const controller = new AbortController();
  const leave = (): void => controller.abort(call.signal.reason);
  if (call.signal.aborted) leave();
  else call.signal.addEventListener('abort', leave, { once: true });
  const watchdog = createWatchdog({ ...timeouts, onExpired: () => controller.abort() });
  const values = { target: call.target };
  const timeout = (phase: Phase, cause: unknown): SekishoError =>
    new SekishoError('upstream_timeout', { values: { ...values, phase }, cause });
  return {
    signal: controller.signal,
    watchdog,
    close: () => {
      watchdog.stop();
      call.signal.removeEventListener('abort', leave);
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
  hasData: (run: Buffer) => boolean,
): EventRuns {
  const framer = createSseFramer();
  const reader = body.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const whole = done ? framer.end() : framer.push(value);
      if (whole !== undefined) {
        const run = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength);
        if (hasData(run)) exchange.watchdog.touch();
        yield run;
      }
      if (done) return;
    }
  } catch (thrown) {
    throw exchange.explain(thrown, 'upstream_broken');
  } finally {
    exchange.close();
    await reader.cancel().catch(() => undefined);
  }
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
