import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const PROGRAMS = programs();

/** Whether this machine has a Postgres to start; tests that need one skip, and say so, where it has none. */
export const postgresAvailable = PROGRAMS !== undefined;

/** For `describe` and `test` names: why it is skipped. */
export const postgresMissing = postgresAvailable ? '' : ' (skipped: there is no Postgres on this machine)';

/** A real Postgres of a test, in processes of its own, with an empty database that outlives `kill`. */
export interface PostgresServer {
  url: string;
  port: number;
  /** SIGSTOP to all of its processes: connections stay open and nothing is answered. */
  pause(): void;
  resume(): void;
  /** SIGKILL to all of its processes; the port is refused from then on. */
  kill(): Promise<void>;
  /** Starts again on the same port with what was committed; kills first where it still runs. */
  restart(): Promise<void>;
  /** Runs statements on a connection of its own and gives the rows of the last. */
  query<Row = Record<string, unknown>>(sql: string): Promise<Row[]>;
  stop(): Promise<void>;
}

export interface PostgresServerOptions {
  /** Further settings, for example `{ max_connections: '10' }`. */
  settings?: Record<string, string>;
}

/** Starts Postgres on a free port of the loopback, as another user where this one is root. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  if (PROGRAMS === undefined) throw new Error('There is no Postgres on this machine.');
  const { folder: programFolder } = PROGRAMS;
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-postgres-'));
  const user = unprivilegedUser();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const made = spawnSync(
    join(programFolder, 'initdb'),
    ['-D', data, '-U', 'sekisho', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    { ...user, cwd: folder, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const settings = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    // What the system has written survives every kill of a test.
    fsync: 'off',
    ...options.settings,
  };
  const run = (): ChildProcess =>
    spawn(
      join(programFolder, 'postgres'),
      ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...user, cwd: folder, stdio: 'ignore' },
    );
  const url = `postgres://sekisho@127.0.0.1:${port}/postgres`;
  let child = run();
  const answers = (): Promise<unknown> => eventually('Postgres answers', () => queryOnce(url, 'SELECT 1'), 20_000);
  await answers();

  const kill = async (): Promise<void> => {
    const pids = familyOf(child);
    // The parent first, so that it starts none anew.
    for (const pid of pids) signal(pid, 'SIGKILL');
    await eventually('Postgres is gone', () => pids.every((pid) => !isRunning(pid)));
  };
  return {
    url,
    port,
    pause: () => familyOf(child).forEach((pid) => signal(pid, 'SIGSTOP')),
    resume: () => familyOf(child).forEach((pid) => signal(pid, 'SIGCONT')),
    kill,
    restart: async () => {
      await kill();
      child = run();
      await answers();
    },
    query: <Row>(sql: string) => queryOnce<Row>(url, sql),
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function queryOnce<Row>(url: string, sql: string): Promise<Row[]> {
  const client = new Bun.SQL({ url, max: 1, connectionTimeout: 5, bigint: true });
  try {
    const rows: Row[] = await client.unsafe(sql);
    return rows;
  } finally {
    await client.close();
  }
}

/** The first place with both programs: what the path of the machine has, then Debian's package. */
function programs(): { folder: string } | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = ['/usr/local/bin', '/usr/bin', ...versions.map((version) => join(debian, version, 'bin'))];
  const folder = folders.find((each) => ['initdb', 'postgres'].every((name) => existsSync(join(each, name))));
  return folder === undefined ? undefined : { folder };
}

/** Postgres refuses to run as root; its own user or nobody takes over then. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody') ?? [];
  if (uid === undefined || gid === undefined) throw new Error('There is no user that Postgres could run as.');
  return { uid: Number(uid), gid: Number(gid) };
}

/** The process and its children; each backend leads a process group of its own. */
function familyOf(child: ChildProcess): number[] {
  const { pid } = child;
  if (pid === undefined || !isRunning(pid)) return [];
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.map(Number)];
}

function signal(pid: number, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch (thrown) {
    // It ended by itself.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown;
  }
}

function isRunning(pid: number): boolean {
  try {
    const state = /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}
