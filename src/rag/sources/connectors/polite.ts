import type { Clock } from '../../../lib/clock.ts';
import { GuardedFetchError, type GuardedAnswer, type GuardedRequest } from '../../../lib/guarded-request.ts';
import type { Sleep } from '../../../lib/sleep.ts';
import { SourceProblem } from './connector.ts';
import { CLOSED, OPEN, parseRobots, type Robots } from './robots.ts';
import { ROBOT_NAME, USER_AGENT } from './web-file.ts';

/** Requests to a site as a robot makes them. */
export interface Polite {
  /** @throws SourceProblem where robots.txt forbids it; GuardedFetchError. */
  get(url: string, signal: AbortSignal, more?: PoliteRequest): Promise<GuardedAnswer>;
  /** Whether robots.txt allows it. */
  mayFetch(url: URL, signal: AbortSignal): Promise<boolean>;
}

export interface PoliteRequest {
  headers?: Readonly<Record<string, string>>;
  /** Whether a redirect may lead there; robots.txt is asked beside. */
  mayFollow?: (url: URL) => boolean;
}

const MAX_SITES = 100;

/**
 * One request after the other, with a pause between them, and none that robots.txt of the site forbids. Each site is
 * asked for its rules once per run.
 */
export function createPolite(options: {
  request: GuardedRequest;
  delayMs: number;
  clock: Clock;
  sleep: Sleep;
  credentials?: Readonly<Record<string, string>>;
}): Polite {
  const { request, clock, sleep, credentials } = options;
  const sites = new Map<string, Promise<Robots>>();
  let turn: Promise<unknown> = Promise.resolve();
  let freeAtMs = -Infinity;

  /** One at a time, and none before the pause after the last is over. */
  function inTurn<T>(signal: AbortSignal, delayMs: number, work: () => Promise<T>): Promise<T> {
    const mine = turn.then(async () => {
      const waitMs = freeAtMs - clock.monotonicMs();
      if (waitMs > 0) await sleep(waitMs, signal);
      try {
        return await work();
      } finally {
        freeAtMs = clock.monotonicMs() + delayMs;
      }
    });
    turn = mine.catch(() => undefined);
    return mine;
  }

  async function ask(origin: string, signal: AbortSignal): Promise<Robots> {
    const headers = { 'user-agent': USER_AGENT };
    const answer = await inTurn(signal, 0, () =>
      request(`${origin}/robots.txt`, signal, { headers, ...(credentials && { credentials }) }),
    ).catch((thrown: unknown) => {
      // An address that is refused is refused for the page too, in better words.
      if (thrown instanceof GuardedFetchError && thrown.problem !== 'address' && thrown.problem !== 'url')
        return undefined;
      throw thrown;
    });
    if (answer === undefined || answer.status >= 500 || answer.status === 429) return CLOSED;
    if (answer.status >= 400) return OPEN;
    return parseRobots(new TextDecoder().decode(answer.bytes.subarray(0, 1024 * 1024)), ROBOT_NAME);
  }

  function robotsOf(url: URL, signal: AbortSignal): Promise<Robots> {
    const known = sites.get(url.origin);
    if (known !== undefined) return known;
    if (sites.size >= MAX_SITES) return Promise.resolve(CLOSED);
    const asked = ask(url.origin, signal);
    sites.set(url.origin, asked);
    asked.catch(() => sites.delete(url.origin));
    return asked;
  }

  return {
    mayFetch: async (url, signal) => (await robotsOf(url, signal)).mayFetch(url),
    get: async (text, signal, { headers = {}, mayFollow = () => true } = {}) => {
      const url = URL.parse(text);
      if (url === null) throw new GuardedFetchError('url', 'it is not a URL');
      const robots = await robotsOf(url, signal);
      if (!robots.mayFetch(url)) throw new SourceProblem('robots.txt of the site does not allow it, or cannot be read');
      return inTurn(signal, Math.max(options.delayMs, robots.delayMs ?? 0), () =>
        request(text, signal, {
          headers: { 'user-agent': USER_AGENT, ...headers },
          ...(credentials && { credentials }),
          beforeRedirect: (to) => {
            if (!mayFollow(to)) throw new GuardedFetchError('redirects', 'it leads out of what may be fetched');
            if (to.origin === url.origin && !robots.mayFetch(to)) {
              throw new GuardedFetchError('redirects', 'it leads to what robots.txt does not allow');
            }
          },
        }),
      );
    },
  };
}
