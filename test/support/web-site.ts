/** A web site over real HTTP whose pages a test can change. */
export interface WebSite {
  origin: string;
  /** What was asked for, in order: method and path. */
  asked: string[];
  /** Headers of the last request for a path. */
  headersOf(path: string): Headers | undefined;
  /** A page by its path with query; an ETag is made of what it holds. */
  put(path: string, body: string | Uint8Array<ArrayBuffer>, headers?: Record<string, string>): void;
  redirect(path: string, location: string, status?: number): void;
  fail(path: string, status: number): void;
  remove(path: string): void;
  stop(): Promise<void>;
}

export function startWebSite(): WebSite {
  const pages = new Map<string, { body: Bun.BodyInit | null; status: number; headers: Record<string, string> }>();
  const asked: string[] = [];
  const seen = new Map<string, Headers>();
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      const { pathname, search } = new URL(request.url);
      const path = pathname + search;
      asked.push(`${request.method} ${path}`);
      seen.set(path, request.headers);
      const page = pages.get(path);
      if (page === undefined) return new Response('nothing here', { status: 404 });
      const { body, status, headers } = page;
      const etag = headers['etag'];
      const modified = headers['last-modified'];
      const isKnown =
        (etag !== undefined && request.headers.get('if-none-match') === etag) ||
        (modified !== undefined && request.headers.get('if-modified-since') === modified);
      return isKnown ? new Response(null, { status: 304, headers }) : new Response(body, { status, headers });
    },
  });
  return {
    origin: `http://127.0.0.1:${server.port}`,
    asked,
    headersOf: (path) => seen.get(path),
    put: (path, body, headers = {}) =>
      void pages.set(path, {
        body,
        status: 200,
        headers: { 'content-type': 'text/html; charset=utf-8', etag: `"${Bun.hash(body)}"`, ...headers },
      }),
    redirect: (path, location, status = 302) => void pages.set(path, { body: null, status, headers: { location } }),
    fail: (path, status) => void pages.set(path, { body: 'no', status, headers: {} }),
    remove: (path) => void pages.delete(path),
    stop: () => server.stop(true),
  };
}
