import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { SekishoError } from '../../spec/errors.ts';
import { createEventSource, type EventFramer, type EventSource } from './event-source.ts';
import { createExchange, type Exchange } from './exchange.ts';
import type { Reach } from './reach.ts';
import { createTicker } from './ticker.ts';
import { upstreamError, type UpstreamRefusal } from './upstream-error.ts';

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
  /** How a streamed body is cut into events. Default: server-sent events. */
  framer?: () => EventFramer;
  /** Headers that prove a call, made from all that is sent; for wires that sign. */
  sign?: (request: SignableRequest) => Record<string, string>;
  /** Translates an HTTP answer that is none, where the wire has words of its own for why. */
  refusal?: (refusal: UpstreamRefusal) => SekishoError;
}

/** What a signature covers. */
export interface SignableRequest {
  method: 'GET' | 'POST';
  url: URL;
  headers: Readonly<Record<string, string>>;
  body: string;
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
  headers: Headers;
}

/** An event stream whose first data has arrived, in the first run. */
export interface OpenStream {
  first: Buffer;
  source: EventSource;
}

export interface Upstream {
  /** The body as it is, for answers that are no JSON objects: lists, or nothing at all. */
  text(call: UpstreamCall): Promise<string>;
  json(call: UpstreamCall): Promise<JsonAnswer>;
  /** The events, or the whole answer of an upstream that does not stream. */
  stream(call: UpstreamCall): Promise<OpenStream | JsonAnswer>;
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** How late a timeout may be noticed. */
const TICK_MS = 20;
const MAX_ERROR_BYTES = 64 * 1024;
/** Comments and pings that come before the first data are kept up to this size. */
const MAX_PRELUDE_BYTES = 64 * 1024;

/** Calls to one upstream: timed, bounded, abortable, with every failure in our own words. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const ticker = createTicker(TICK_MS);

  /** Sends the request; the answer's head has come when this resolves. */
  async function open(call: UpstreamCall): Promise<{ response: Response; exchange: Exchange }> {
    if (call.signal.aborted) throw new SekishoError('caller_left', { cause: call.signal.reason });
    const exchange = createExchange(call, options.timeouts, ticker);
    let own = options.headers();
    try {
      const { url } = call;
      const reaching = options.reach?.reach(url, options.timeouts.connectMs);
      if (reaching !== undefined) await Promise.race([reaching, exchange.aborted()]);
      const method = call.body === undefined ? 'GET' : 'POST';
      const headers = { 'content-type': 'application/json', ...call.headers, ...own };
      if (options.sign !== undefined) {
        own = { ...own, ...options.sign({ method, url: new URL(url), headers, body: call.body ?? '' }) };
        Object.assign(headers, own);
      }
      const response = await fetch(url, {
        method,
        headers,
        body: call.body ?? null,
        redirect: 'manual',
        signal: exchange.signal,
      });
      options.reach?.answered(url);
      if (response.ok) return { response, exchange };
      const { status } = response;
      const body = await readText(response, MAX_ERROR_BYTES).catch(() => '');
      const translate = options.refusal ?? upstreamError;
      throw translate({
        target: call.target,
        status,
        headers: response.headers,
        body,
        nowMs: Date.now(),
        secrets: secretsOf(own),
      });
    } catch (thrown) {
      exchange.close();
      throw exchange.explain(thrown, 'upstream_unreachable');
    }
  }

  async function bodyOf(response: Response, exchange: Exchange): Promise<string> {
    try {
      return await readText(response, MAX_ANSWER_BYTES);
    } catch (thrown) {
      exchange.close();
      throw exchange.explain(thrown, 'upstream_broken');
    } finally {
      exchange.settle();
    }
  }

  async function whole(call: UpstreamCall, response: Response, exchange: Exchange): Promise<JsonAnswer> {
    const text = await bodyOf(response, exchange);
    const json = parseJson(text);
    if (isJsonObject(json)) return { json, text, headers: response.headers };
    throw broken(call.target, `not a JSON object: ${text.slice(0, 500)}`);
  }

  return {
    text: async (call) => {
      const { response, exchange } = await open(call);
      return bodyOf(response, exchange);
    },
    json: async (call) => {
      const { response, exchange } = await open(call);
      return whole(call, response, exchange);
    },
    stream: async (call) => {
      const { response, exchange } = await open(call);
      if (response.body === null || (response.headers.get('content-type') ?? '').includes('application/json')) {
        return whole(call, response, exchange);
      }
      const source = createEventSource(response.body, exchange, options.hasData, options.framer?.());
      // Comments before the first data are no answer yet: until then another target may be tried.
      const prelude: Buffer[] = [];
      let bytes = 0;
      for (let run = await source.next(); run !== undefined; run = await source.next()) {
        if (options.hasData(run))
          return { first: prelude.length === 0 ? run : Buffer.concat([...prelude, run]), source };
        bytes += run.length;
        if (bytes <= MAX_PRELUDE_BYTES) prelude.push(run);
      }
      throw broken(call.target, 'a stream without data');
    },
  };
}

/** What no caller may be shown, whatever an upstream echoes: the values of the headers that it was sent. */
function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  return Object.values(headers)
    .map((value) => value.replace(/^Bearer /, ''))
    .filter((value) => value.length >= 8);
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
