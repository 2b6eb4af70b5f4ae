import { createConnection } from 'node:net';

/** What a caller with a connection of its own was answered. */
export interface RawAnswer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

const LIMIT_MS = 30_000;

/**
 * One POST of JSON on a TCP connection of its own. The fetch of this process lets only so many through at once; a crowd
 * of callers must not be thinned out by its own client.
 */
export function postRaw(url: string, body: object, headers: Record<string, string>): Promise<RawAnswer> {
  const { hostname, port, pathname } = new URL(url);
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    const pieces: Buffer[] = [];
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`${url} did not answer in time.`)));
    socket.on('error', reject);
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.on('close', () => {
      const [head = '', ...rest] = Buffer.concat(pieces).toString('utf8').split('\r\n\r\n');
      const [first = '', ...lines] = head.split('\r\n');
      resolve({
        status: Number(first.split(' ')[1]),
        headers: new Map(
          lines.map((line) => {
            const colon = line.indexOf(':');
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
          }),
        ),
        body: rest.join('\r\n\r\n'),
      });
    });
    const lines = { host: `${hostname}:${port}`, connection: 'close', 'content-type': 'application/json', ...headers };
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(
      `POST ${pathname} HTTP/1.1\r\n${head.join('')}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
  });
}
