import { connect, createServer, type Socket } from 'node:net';

/** A path to a server that can keep back what was sent and deliver it later, even when its sender is gone. */
export interface LatePath {
  port: number;
  /** From the next piece on that holds this text, its connection delivers nothing to the server any more. */
  holdFrom(text: string): void;
  /** Resolves when something is held. */
  held(): Promise<void>;
  /** Delivers what was held, as a network does that found its way again. */
  release(): void;
  stop(): Promise<void>;
}

/** Forwards connections on a free port of the loopback to another port. */
export async function startLatePath(toPort: number): Promise<LatePath> {
  const sockets = new Set<Socket>();
  const deliveries: (() => void)[] = [];
  let wanted: string | undefined;
  let onHeld = (): void => undefined;
  let holding = new Promise<void>((resolve) => {
    onHeld = resolve;
  });
  const server = createServer((near) => {
    const far = connect(toPort, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    let holds = false;
    near.on('data', (data) => {
      if (wanted !== undefined && data.includes(wanted)) {
        wanted = undefined;
        holds = true;
        onHeld();
      }
      if (holds) deliveries.push(() => far.write(data));
      else far.write(data);
    });
    near.on('close', () => {
      if (!holds) far.destroy();
    });
    far.on('data', (data) => near.writable && near.write(data));
    far.on('close', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('There is no port.');
  return {
    port: address.port,
    holdFrom: (text) => {
      wanted = text;
      holding = new Promise((resolve) => {
        onHeld = resolve;
      });
    },
    held: () => holding,
    release: () => {
      for (const deliver of deliveries.splice(0)) deliver();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
