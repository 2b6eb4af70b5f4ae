/**
 * The load generator, a process of its own: keep-alive connections on raw TCP, each with one request in flight,
 * until a fixed number has been answered. Reads its orders as JSON from standard input; prints latencies.
 */
export interface LoadOrder {
  port: number;
  path: string;
  headers: Record<string, string>;
  body: string;
  requests: number;
  concurrency: number;
  /** The run ends early, and says so, after this time. */
  maxMs: number;
  /** Eight zeros in headers and body become the number of the request, counted from here: each is another one. */
  numberFrom?: number;
  /** The status that counts as answered. Default 200. */
  status?: number;
}

export interface LoadResult {
  answered: number;
  failed: number;
  elapsedMs: number;
  /** Milliseconds until the last byte, one per request. */
  latencyMs: number[];
  /** Milliseconds until the first byte of the body. */
  firstByteMs: number[];
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');
export const PLACEHOLDER = '00000000';

async function load(order: LoadOrder): Promise<LoadResult> {
  const body = Buffer.from(order.body);
  const headers = { ...order.headers, 'content-length': String(body.length), host: `127.0.0.1:${order.port}` };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.concat([Buffer.from(`POST ${order.path} HTTP/1.1\r\n${lines.join('')}\r\n`), body]);
  const numbered = order.numberFrom === undefined ? [] : placesOf(request, PLACEHOLDER);
  const wanted = `HTTP/1.1 ${order.status ?? 200}`;
  const result: LoadResult = { answered: 0, failed: 0, elapsedMs: 0, latencyMs: [], firstByteMs: [] };
  const started = performance.now();
  let begun = 0;

  const connection = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0;
      let firstByteAt = 0;
      let received: Buffer = Buffer.alloc(0);
      let unsent: Buffer = Buffer.alloc(0);
      const flush = (socket: { write(data: Buffer): number }): void => {
        // A large request does not fit into the socket's buffer at once.
        if (unsent.length > 0) unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
      };
      const send = (socket: { write(data: Buffer): number; end(): void }): void => {
        if (begun >= order.requests || performance.now() - started > order.maxMs) {
          socket.end();
          resolve();
          return;
        }
        begun++;
        received = Buffer.alloc(0);
        firstByteAt = 0;
        sentAt = performance.now();
        unsent = numbered.length === 0 ? request : withNumber(request, numbered, (order.numberFrom ?? 0) + begun);
        flush(socket);
      };
      Bun.connect({
        hostname: '127.0.0.1',
        port: order.port,
        socket: {
          open: send,
          drain: flush,
          data(socket, data) {
            received = received.length === 0 ? Buffer.from(data) : Buffer.concat([received, data]);
            const state = stateOf(received);
            if (state.begun && firstByteAt === 0) firstByteAt = performance.now();
            if (!state.complete) return;
            if (received.subarray(0, 12).toString('latin1') === wanted) {
              result.answered++;
              result.latencyMs.push(performance.now() - sentAt);
              result.firstByteMs.push(firstByteAt - sentAt);
            } else {
              result.failed++;
              if (result.failed === 1) console.error(received.toString('utf8').slice(0, 2000));
            }
            send(socket);
          },
          close: () => resolve(),
          connectError: (_socket, error) => reject(error),
        },
      }).catch(reject);
    });

  await Promise.all(Array.from({ length: order.concurrency }, connection));
  result.elapsedMs = performance.now() - started;
  return result;
}

function placesOf(bytes: Buffer, text: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + text.length)) places.push(at);
  return places;
}

function withNumber(request: Buffer, places: readonly number[], number: number): Buffer {
  const copy = Buffer.from(request);
  for (const place of places) copy.write(String(number).padStart(PLACEHOLDER.length, '0'), place, 'latin1');
  return copy;
}

function stateOf(received: Buffer): { begun: boolean; complete: boolean } {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return { begun: false, complete: false };
  const bodyStart = headEnd + HEAD_END.length;
  const length = /content-length: *(\d+)/i.exec(received.subarray(0, headEnd).toString('latin1'))?.[1];
  const begun = received.length > bodyStart;
  if (length !== undefined) return { begun, complete: received.length >= bodyStart + Number(length) };
  const tail = received.subarray(Math.max(headEnd, received.length - LAST_CHUNK.length));
  return { begun, complete: begun && tail.equals(LAST_CHUNK) };
}

if (import.meta.main) {
  const order: LoadOrder = JSON.parse(await Bun.stdin.text());
  console.log(JSON.stringify(await load(order)));
}
