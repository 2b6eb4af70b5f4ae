import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyLimits } from '../../src/spec/principal.ts';

export interface ServerOptions {
  /** What `sekisho.yaml` would hold, as an object. */
  config: object;
  /** Used as it is and kept; without one, a fresh folder that `stop` removes. */
  dataFolder?: string;
}

/** A running Sekisho of a test. */
export interface TestServer {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  url: string;
  adminKey: string;
  dataFolder: string;
  /** Makes a key over HTTP, as an administrator does. */
  createKey(key: { name: string; limits?: KeyLimits; allowedRoutes?: string[]; expiresMs?: number }): Promise<string>;
  stop(): Promise<void>;
}

export async function startSekisho(_options: ServerOptions): Promise<TestServer> {
  throw new Error('pending');
}

/** A Sekisho in a process of its own, as a user starts it. */
export interface ServerProcess extends TestServer {
  pid: number;
  /** SIGKILL: nothing is flushed, nothing is closed. */
  kill(): Promise<void>;
}

export async function startSekishoProcess(_options: ServerOptions): Promise<ServerProcess> {
  void [spawn, mkdtempSync, rmSync, writeFileSync, tmpdir, join];
  throw new Error('pending');
}
