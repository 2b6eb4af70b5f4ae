import { LRUCache } from 'lru-cache';

/** An origin that answered this recently is not asked again. */
const FRESH_MS = 10_000;
/** Of more origins or addresses than this the oldest knowledge is forgotten. */
const MAX_ORIGINS = 1_000;

/** Thrown when the connection did not stand in time; anything else is thrown as it came. */
export class ConnectTimeout extends Error {}

export interface Reach {
  /** Resolves when the origin of an address took a TCP connection; undefined where it has answered lately. */
  reach(url: string, connectMs: number): Promise<void> | undefined;
  /** The origin of an address has just answered. */
  answered(url: string): void;
}

interface Origin {
  lastMs: number;
  asking?: Promise<void>;
}

/**
 * The HTTP client does not tell when its connection stands, so an origin that has been quiet is asked with a
 * plain TCP connection first. That makes the time to connect a limit of its own: a host that swallows
 * packets is given up after `connectMs`, while a model may take minutes to its first byte.
 */
export function createReach(): Reach {
  const origins = new LRUCache<string, Origin>({ max: MAX_ORIGINS });
  // The origin of an address is looked up, because reading an address costs as much as the rest of this.
  const byUrl = new LRUCache<string, Origin>({ max: MAX_ORIGINS });

  function originOf(url: string): Origin {
    const known = byUrl.get(url);
    if (known !== undefined) return known;
    const { origin: name } = new URL(url);
    const origin = origins.get(name) ?? { lastMs: -Infinity };
    origins.set(name, origin);
    byUrl.set(url, origin);
    return origin;
  }

  return {
    answered: (url) => {
      originOf(url).lastMs = performance.now();
    },
    reach: (url, connectMs) => {
      const origin = originOf(url);
      if (performance.now() - origin.lastMs < FRESH_MS) return undefined;
      origin.asking ??= connect(new URL(url), connectMs)
        .then(() => {
          origin.lastMs = performance.now();
        })
        .finally(() => {
          delete origin.asking;
        });
      return origin.asking;
    },
  };
}

async function connect(url: URL, connectMs: number): Promise<void> {
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const socket = Bun.connect({ hostname, port, socket: { data: () => undefined, error: () => undefined } });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectTimeout(`No connection within ${connectMs} ms.`)), connectMs);
  });
  try {
    (await Promise.race([socket, late])).end();
  } catch (thrown) {
    // A connection that stands after all is not kept.
    socket.then((open) => open.end()).catch(() => undefined);
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}
