import { connect, createServer, type Socket } from 'node:net';

/** A path to a server that a test can make slow or silent. */
export interface TcpPath {
  port: number;
  /** What comes back from the server from now on arrives so much later. */
  delay(ms: number): void;
  /** Connections stay open and nothing passes in either direction, until `delay` is called. */
  swallow(): void;
  stop(): Promise<void>;
}

/** Forwards connections on a free port of the loopback to another port. */
export async function startTcpPath(toPort: number): Promise<TcpPath> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let swallows = false;
  const server = createServer((near) => {
    const far = connect(toPort, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
      socket.on('error', () => socket.destroy());
    }
    near.on('data', (data) => {
      if (!swallows) far.write(data);
    });
    far.on('data', (data) => {
      if (swallows) return;
      if (delayMs === 0) near.write(data);
      else setTimeout(() => near.writable && near.write(data), delayMs);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('There is no port.');
  return {
    port: address.port,
    delay: (ms) => {
      swallows = false;
      delayMs = ms;
    },
    swallow: () => {
      swallows = true;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
