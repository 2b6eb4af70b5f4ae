import { createServer, type Socket } from 'node:net';

const MAX_HEAD_BYTES = 64 * 1024;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');

/** One request as it came over the socket. Header names are lower case. */
export interface WireRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/**
 * The answering side of one request, with every freedom an HTTP library takes away: the connection can be
 * reset or closed at any byte. `gone` resolves when the peer has left or the socket was destroyed.
 */
export interface WireAnswer {
  head(status: number, headers: Readonly<Record<string, string>>): void;
  /** Writes one chunk of the body; resolves once the kernel has it. Does nothing after the peer has left. */
  write(bytes: Uint8Array | string): Promise<void>;
  /** Ends a chunked body and keeps the connection for the next request. */
  end(): void;
  /** A whole answer with a content-length. */
  whole(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array): void;
  /** TCP reset: the peer sees ECONNRESET. */
  reset(): void;
  /** Closes the connection without the last chunk of the body. */
  cut(): void;
  /** Writes a chunk whose size is not a number, and closes. */
  badChunk(): void;
  readonly left: boolean;
  readonly gone: Promise<void>;
}

export interface HttpListener {
  port: number;
  openSockets(): number;
  stop(): Promise<void>;
}

/**
 * A small HTTP/1.1 server on a free loopback port, written on TCP so that it can misbehave:
 * keep-alive, content-length and chunked requests, one request at a time per connection.
 */
export async function listenHttp(
  handle: (request: WireRequest, answer: WireAnswer) => Promise<void>,
): Promise<HttpListener> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A reset by the peer is an event of the test, not of the server.
    socket.on('error', () => socket.destroy());
    serve(socket, handle);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The fake provider has no port.');
  return {
    port: address.port,
    openSockets: () => sockets.size,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serve(socket: Socket, handle: (request: WireRequest, answer: WireAnswer) => Promise<void>): void {
  let pending: Buffer = Buffer.alloc(0);
  let busy = false;
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const next = (): void => {
    if (busy) return;
    const parsed = parseRequest(pending);
    if (parsed === undefined) return;
    if (parsed === 'bad') {
      socket.destroy();
      return;
    }
    pending = pending.subarray(parsed.length);
    busy = true;
    handle(parsed.request, answerOn(socket, gone)).then(
      () => {
        busy = false;
        next();
      },
      () => socket.destroy(),
    );
  };
  socket.on('data', (data: Buffer) => {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
    next();
  });
  socket.on('end', () => socket.destroy());
}

function answerOn(socket: Socket, gone: Promise<void>): WireAnswer {
  const send = (bytes: Uint8Array | string): Promise<void> =>
    new Promise((resolve) => {
      if (socket.destroyed) resolve();
      else socket.write(bytes, () => resolve());
    });
  return {
    head(status, headers) {
      void send(headText(status, { ...headers, 'transfer-encoding': 'chunked' }));
    },
    async write(data) {
      const bytes = typeof data === 'string' ? Buffer.from(data) : data;
      if (bytes.length === 0) return;
      await send(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]));
    },
    end() {
      void send('0\r\n\r\n');
    },
    whole(status, headers, body) {
      const head = Buffer.from(headText(status, { ...headers, 'content-length': String(body.length) }));
      void send(Buffer.concat([head, body]));
    },
    reset() {
      socket.resetAndDestroy();
    },
    cut() {
      socket.end();
    },
    badChunk() {
      socket.end('zz\r\nnot a chunk\r\n');
    },
    get left() {
      return socket.destroyed;
    },
    gone,
  };
}

function headText(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Fake\r\n${lines.join('')}\r\n`;
}

/** The first whole request of `data`, `undefined` while it is incomplete, `bad` where it never will be one. */
function parseRequest(data: Buffer): { request: WireRequest; length: number } | 'bad' | undefined {
  const headEnd = data.indexOf(HEAD_END);
  if (headEnd < 0) return data.length > MAX_HEAD_BYTES ? 'bad' : undefined;
  const [requestLine = '', ...headerLines] = data.subarray(0, headEnd).toString('latin1').split('\r\n');
  const [method = '', path = ''] = requestLine.split(' ');
  const headers: Record<string, string> = {};
  for (const line of headerLines) {
    const colon = line.indexOf(':');
    if (colon < 1) return 'bad';
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body =
    headers['transfer-encoding'] === 'chunked'
      ? chunkedBody(data, headEnd + 4)
      : sizedBody(data, headEnd + 4, Number(headers['content-length'] ?? '0'));
  if (body === undefined || body === 'bad') return body;
  return { request: { method, path, headers, body: body.bytes.toString('utf8') }, length: body.end };
}

type Body = { bytes: Buffer; end: number } | 'bad' | undefined;

function sizedBody(data: Buffer, start: number, length: number): Body {
  if (!Number.isInteger(length) || length < 0 || length > MAX_BODY_BYTES) return 'bad';
  const end = start + length;
  return data.length < end ? undefined : { bytes: data.subarray(start, end), end };
}

function chunkedBody(data: Buffer, start: number): Body {
  const chunks: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = data.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(data.subarray(at, lineEnd).toString('latin1'), 16);
    if (!Number.isInteger(size) || size < 0 || size > MAX_BODY_BYTES) return 'bad';
    const end = lineEnd + 2 + size + 2;
    if (data.length < end) return undefined;
    if (size === 0) return { bytes: Buffer.concat(chunks), end };
    chunks.push(data.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
