import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const BINARY = '/usr/bin/redis-server';

/** Whether this machine has a Redis to start; tests that need one skip, and say so, where it has none. */
export const redisAvailable = existsSync(BINARY);

/** For `describe` and `test` names: why it is skipped. */
export const redisMissing = redisAvailable ? '' : ` (skipped: there is no ${BINARY})`;

/** A real Redis of a test, in a process of its own, with an empty data set and nothing on disk. */
export interface RedisServer {
  url: string;
  port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** SIGSTOP: connections stay open and nothing is answered, as behind a path that swallows packets. */
  pause(): void;
  resume(): void;
  /** SIGKILL; the port is refused from then on. */
  kill(): Promise<void>;
  /** Starts again on the same port, with nothing in it; kills first where it still runs. */
  restart(): Promise<void>;
  configSet(name: string, value: string): Promise<void>;
  /** Sends one command and returns the raw first reply (RESP). */
  command(...words: string[]): Promise<string>;
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  /** Further arguments, for example `['--maxmemory', '4mb']`. */
  args?: string[];
}

/** Starts Debian's redis-server on a free port of the loopback. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-redis-'));
  const port = await freePort();
  const spawn = () =>
    Bun.spawn(
      [
        BINARY,
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--save',
        '',
        '--appendonly',
        'no',
      ].concat(options.args ?? []),
      { stdout: 'ignore', stderr: 'ignore' },
    );
  let child = spawn();
  const answers = () =>
    eventually('Redis answers', async () => (await command(port, ['PING'])).startsWith('+PONG'), 10_000);
  await answers();

  const kill = async (): Promise<void> => {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await child.exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid;
    },
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    kill,
    restart: async () => {
      await kill();
      child = spawn();
      await answers();
    },
    configSet: async (name, value) => {
      const reply = await command(port, ['CONFIG', 'SET', name, value]);
      if (!reply.startsWith('+OK')) throw new Error(reply);
    },
    command: (...words) => command(port, words),
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One command on a connection of its own, without any client library. */
function command(port: number, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.setTimeout(5_000, () => socket.destroy(new Error('Redis did not answer.')));
    socket.on('error', reject);
    socket.on('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    socket.write(`*${words.length}\r\n${parts.join('')}`);
  });
}
