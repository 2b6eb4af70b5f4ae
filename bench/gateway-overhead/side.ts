import { spawn } from 'node:child_process';
import type { Scenario } from './scenarios.ts';

/** One proxy under test: where it listens, which process does its work, and what a caller sends to it. */
export interface Side {
  name: string;
  port: number;
  pid: number;
  path: string;
  headersFor(kind: Scenario['kind']): Record<string, string>;
  /** What it wants in the body beside the request itself. */
  bodyFor?(kind: Scenario['kind']): object;
  /** False where it has no such thing. */
  can(kind: Scenario['kind']): boolean;
  /** How many of a scenario's requests it is sent: one that is slow takes its figures from fewer. */
  share: number;
  /** The version and what is switched on, for the record. */
  setup: string;
  stop(): Promise<void>;
}

export const JSON_HEADERS = { 'content-type': 'application/json' };
export const CHAT_PATH = '/v1/chat/completions';

const START_LIMIT_MS = 120_000;

/** A server that is started from the outside, on a port that it is told; ends with SIGKILL, nothing of it is kept. */
export async function startServer(
  command: readonly string[],
  options: { port: number; readyPath: string; environment: Record<string, string>; cwd?: string },
): Promise<{ pid: number; stop(): Promise<void> }> {
  const [program = '', ...args] = command;
  // A group of its own, so that its children end with it.
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: 'ignore',
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start.`);
  for (const end = Date.now() + START_LIMIT_MS; ; await Bun.sleep(50)) {
    const ready = await fetch(`http://127.0.0.1:${options.port}${options.readyPath}`).then(
      ({ status }) => status < 500,
      () => false,
    );
    if (ready) break;
    if (Date.now() > end || child.exitCode !== null) throw new Error(`${command.join(' ')} does not answer.`);
  }
  return {
    pid,
    stop: async () => {
      process.kill(-pid, 'SIGKILL');
      await ended;
    },
  };
}

/** A port that is free now. */
export function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
  const port = server.port ?? 0;
  void server.stop(true);
  return port;
}
