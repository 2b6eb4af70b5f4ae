import { createConnection } from 'node:net';

const LIMIT_MS = 10_000;

/** What came back on one TCP connection, answer by answer. */
export interface RawExchange {
  /** Status of each answer, in order. */
  statuses: number[];
  text: string;
}

/**
 * Writes bytes on a connection of its own and reads until the server closes it, or until nothing came for `quietMs`.
 * For requests that no HTTP client would send.
 */
export function rawRequest(url: string, bytes: string | Uint8Array, quietMs = 100): Promise<RawExchange> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    const pieces: Buffer[] = [];
    let quiet: ReturnType<typeof setTimeout> | undefined;
    const limit = setTimeout(() => socket.destroy(new Error(`${url} did not answer in time.`)), LIMIT_MS);
    socket.on('error', (error) => (pieces.length > 0 ? undefined : reject(error)));
    socket.on('data', (piece: Buffer) => {
      pieces.push(piece);
      clearTimeout(quiet);
      quiet = setTimeout(() => socket.destroy(), quietMs);
    });
    socket.on('close', () => {
      clearTimeout(limit);
      clearTimeout(quiet);
      const text = Buffer.concat(pieces).toString('utf8');
      resolve({ text, statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1])) });
    });
    socket.write(bytes);
  });
}
