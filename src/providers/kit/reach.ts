/** An origin that answered this recently is not asked again. */
const FRESH_MS = 10_000;
/** Of more origins than this the oldest knowledge is forgotten. */
const MAX_ORIGINS = 1_000;

/** Thrown when the connection did not stand in time; anything else is thrown as it came. */
export class ConnectTimeout extends Error {}

export interface Reach {
  /** Resolves when the origin of `url` took a TCP connection; undefined where it has answered lately. */
  reach(url: URL, connectMs: number): Promise<void> | undefined;
  /** The origin has just answered. */
  answered(url: URL): void;
}

/**
 * The HTTP client does not tell when its connection stands, so an origin that has been quiet is asked with a
 * plain TCP connection first. That makes the time to connect a limit of its own: a host that swallows
 * packets is given up after `connectMs`, while a model may take minutes to its first byte.
 */
export function createReach(): Reach {
  const lastMs = new Map<string, number>();
  const asking = new Map<string, Promise<void>>();

  const answered = (url: URL): void => {
    const known = lastMs.delete(url.host);
    if (!known && lastMs.size >= MAX_ORIGINS) lastMs.delete(lastMs.keys().next().value ?? '');
    lastMs.set(url.host, performance.now());
  };

  return {
    answered,
    reach: (url, connectMs) => {
      if (performance.now() - (lastMs.get(url.host) ?? -Infinity) < FRESH_MS) return undefined;
      const running = asking.get(url.host);
      if (running !== undefined) return running;
      const attempt = connect(url, connectMs)
        .then(() => answered(url))
        .finally(() => asking.delete(url.host));
      asking.set(url.host, attempt);
      return attempt;
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
