import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.ts';

const MAX_URL_LENGTH = 8_192;
/** Of more addresses than this the rest is not tried. */
const MAX_ADDRESSES = 4;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export type GuardedFetchProblem = 'url' | 'address' | 'redirects' | 'status' | 'size' | 'time' | 'network';

/** Why a URL was not fetched; the message may be shown to whoever gave the URL. */
export class GuardedFetchError extends Error {
  readonly problem: GuardedFetchProblem;

  constructor(problem: GuardedFetchProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.problem = problem;
  }
}

/** The one verb of the HTTP client that is needed here. */
export type PinnedFetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

export interface GuardedRequestOptions {
  maxBytes: number;
  timeoutMs: number;
  maxRedirects: number;
  /** The addresses of a host name. Default: the machine's resolver. */
  resolve?: (hostname: string) => Promise<readonly string[]>;
  /** Default: the global fetch. It is given a URL whose host is an address. */
  fetch?: PinnedFetch;
  /**
   * Whether the operator has named the host, so that its address may be private. A redirect reaches a private
   * address only where every host before it was named as well. Default: no host is.
   */
  isListedHost?: (hostname: string) => boolean;
}

export interface GuardedRequestInit {
  /** Default GET. Only GET follows redirects. */
  method?: 'GET' | 'POST';
  /** Sent to every host on the way: nothing secret. */
  headers?: Readonly<Record<string, string>>;
  /** Sent to the origin of the first URL only. */
  credentials?: Readonly<Record<string, string>>;
  body?: Uint8Array<ArrayBuffer>;
  /** Judges where a redirect leads before it is followed; what it throws is what the request fails with. */
  beforeRedirect?: (url: URL) => void | Promise<void>;
}

/** An answer of any status; the bytes are those of a 2xx answer, of others none. */
export interface GuardedAnswer {
  /** Where the answer came from, after redirects. */
  url: string;
  status: number;
  headers: Headers;
  bytes: Uint8Array;
}

/** Aborting the signal rejects with its reason. @throws GuardedFetchError for what kept the answer from coming. */
export type GuardedRequest = (url: string, signal: AbortSignal, init?: GuardedRequestInit) => Promise<GuardedAnswer>;

/**
 * The way to every URL that a caller, a document or a model chose. Only http and https, no user names; every
 * address that the host resolves to must be public (or the host listed), and the connection goes to the address
 * that was checked, so that a second answer of the resolver changes nothing. TLS still proves the host's name.
 * Redirects are followed here, each checked like the first. Nothing of ours goes along but the headers given.
 * The answer is bounded in size (as unpacked) and time.
 */
export function createGuardedRequest(options: GuardedRequestOptions): GuardedRequest {
  const { maxBytes, timeoutMs, maxRedirects, resolve = resolveByMachine, fetch: send = fetch } = options;
  const isListed = options.isListedHost ?? (() => false);

  async function follow(first: string, signal: AbortSignal, init: GuardedRequestInit): Promise<GuardedAnswer> {
    let url = parseUrl(first);
    const { origin } = url;
    let listed = true;
    for (let hops = 0; hops <= maxRedirects; hops++) {
      listed &&= isListed(hostOf(url));
      const response = await sendPinned(url, signal, { init, listed, known: url.origin === origin });
      if (!REDIRECTS.has(response.status)) return read(response, url);
      await response.body?.cancel();
      const location = response.headers.get('location');
      if (location === null || (init.method ?? 'GET') !== 'GET') {
        throw new GuardedFetchError('status', `the host answered ${response.status}`);
      }
      url = parseUrl(location, url);
      await init.beforeRedirect?.(url);
    }
    throw new GuardedFetchError('redirects', `the host redirected more than ${maxRedirects} times`);
  }

  /** To the first checked address that takes the connection. */
  async function sendPinned(
    url: URL,
    signal: AbortSignal,
    { init, listed, known }: { init: GuardedRequestInit; listed: boolean; known: boolean },
  ): Promise<Response> {
    const hostname = hostOf(url);
    const literal = isIP(hostname) !== 0;
    const addresses = literal ? [hostname] : await addressesOf(hostname);
    signal.throwIfAborted();
    if (addresses.length === 0 || !(listed || addresses.every(isPublicAddress))) {
      throw new GuardedFetchError('address', 'the host has no public address');
    }
    let failure: unknown;
    for (const address of addresses.slice(0, MAX_ADDRESSES)) {
      const pinned = new URL(url);
      pinned.hostname = isIP(address) === 6 ? `[${address}]` : address;
      try {
        return await send(pinned.href, {
          redirect: 'manual',
          keepalive: false,
          signal,
          headers: {
            accept: '*/*',
            'accept-encoding': 'identity',
            ...init.headers,
            ...(known && init.credentials),
            host: url.host,
          },
          ...(init.method !== undefined && { method: init.method }),
          ...(init.body !== undefined && { body: init.body }),
          ...(url.protocol === 'https:' && !literal && { tls: { serverName: hostname } }),
        });
      } catch (thrown) {
        signal.throwIfAborted();
        failure = thrown;
      }
    }
    throw new GuardedFetchError('network', 'the host cannot be reached', failure);
  }

  async function addressesOf(hostname: string): Promise<readonly string[]> {
    try {
      return await resolve(hostname);
    } catch (thrown) {
      // The same words as for a private address: what the inner network resolves is nobody's business.
      throw new GuardedFetchError('address', 'the host has no public address', thrown);
    }
  }

  async function read(response: Response, url: URL): Promise<GuardedAnswer> {
    const tooLarge = new GuardedFetchError('size', `it is larger than ${maxBytes} bytes`);
    const { status, headers } = response;
    try {
      const chunks: Uint8Array[] = [];
      if (!response.ok) await response.body?.cancel();
      else {
        if (Number(headers.get('content-length') ?? 0) > maxBytes) throw tooLarge;
        let size = 0;
        for await (const chunk of response.body ?? []) {
          size += chunk.length;
          if (size > maxBytes) throw tooLarge;
          chunks.push(chunk);
        }
      }
      return { url: url.href, status, headers, bytes: Buffer.concat(chunks) };
    } catch (thrown) {
      // Whoever stops reading closes the connection.
      await response.body?.cancel().catch(() => undefined);
      throw thrown;
    }
  }

  return async (url, signal, init = {}) => {
    signal.throwIfAborted();
    const limit = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, limit]);
    try {
      return await Promise.race([follow(url, either, init), aborted(either)]);
    } catch (thrown) {
      signal.throwIfAborted();
      if (limit.aborted) throw new GuardedFetchError('time', `it took longer than ${timeoutMs} ms`, thrown);
      if (thrown instanceof GuardedFetchError) throw thrown;
      throw new GuardedFetchError('network', 'the connection broke', thrown);
    }
  };
}

/** @throws GuardedFetchError for what is not a plain http(s) URL. The parser turns every notation of IPv4 into the usual one. */
function parseUrl(text: string, base?: URL): URL {
  const url = text.length > MAX_URL_LENGTH ? null : URL.parse(text, base?.href);
  if (url === null) throw new GuardedFetchError('url', 'it is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new GuardedFetchError('url', 'only http and https URLs are fetched');
  }
  if (url.username !== '' || url.password !== '') {
    throw new GuardedFetchError('url', 'a URL with a user name is not fetched');
  }
  return url;
}

/** The host without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

async function resolveByMachine(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}

/** Rejects when the signal is aborted: the resolver cannot be, so it is not waited for. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
  });
}
