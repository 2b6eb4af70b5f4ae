import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A repository over HTTP, served by git itself (git-http-backend). */
export interface GitServer {
  url: string;
  asked: string[];
  /** Writes files (null deletes) and makes a commit of it. */
  commit(files: Record<string, string | null>, branch?: string): void;
  /** Runs git in the working copy. */
  git(...args: string[]): string;
  /** What must stand in Authorization; unset: nothing. */
  require(authorization: string): void;
  folder: string;
  stop(): Promise<void>;
}

/** Whether git and its server part are installed. */
export function hasGit(): boolean {
  try {
    execFileSync('git', ['http-backend'], { stdio: 'ignore', env: { PATH: process.env['PATH'] ?? '' } });
    return true;
  } catch (thrown) {
    // Without a request it ends with a message; where it is missing, git knows no such command.
    return thrown instanceof Error && 'status' in thrown && thrown.status === 128;
  }
}

export function startGitServer(): GitServer {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-git-'));
  const work = join(folder, 'work');
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'test',
    GIT_AUTHOR_EMAIL: 'test@example.com',
    GIT_COMMITTER_NAME: 'test',
    GIT_COMMITTER_EMAIL: 'test@example.com',
  };
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: work, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  mkdirSync(work);
  git('init', '-q', '-b', 'main');
  let needed: string | undefined;
  const asked: string[] = [];

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      asked.push(`${request.method} ${pathname}${search}`);
      if (needed !== undefined && request.headers.get('authorization') !== needed) {
        return new Response('', { status: 401, headers: { 'www-authenticate': 'Basic realm="git"' } });
      }
      const body = new Uint8Array(await request.arrayBuffer());
      return answerOf(
        await cgi(body, {
          ...env,
          GIT_PROJECT_ROOT: folder,
          GIT_HTTP_EXPORT_ALL: '1',
          PATH_INFO: pathname,
          QUERY_STRING: search.slice(1),
          REQUEST_METHOD: request.method,
          CONTENT_TYPE: request.headers.get('content-type') ?? '',
          CONTENT_LENGTH: String(body.length),
          GIT_PROTOCOL: request.headers.get('git-protocol') ?? '',
        }),
      );
    },
  });

  return {
    url: `http://127.0.0.1:${server.port}/work/.git`,
    asked,
    folder,
    git,
    require: (authorization) => void (needed = authorization),
    commit: (files, branch) => {
      if (branch !== undefined) git('checkout', '-q', '-B', branch);
      for (const [path, text] of Object.entries(files)) {
        if (text === null) rmSync(join(work, path));
        else {
          mkdirSync(dirname(join(work, path)), { recursive: true });
          writeFileSync(join(work, path), text);
        }
      }
      git('add', '-A');
      git('commit', '-q', '-m', 'change');
      if (branch !== undefined) git('checkout', '-q', 'main');
    },
    stop: async () => {
      await server.stop(true);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function cgi(body: Uint8Array, env: Record<string, string>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', () => resolve(Buffer.concat(chunks)));
    child.stdin.end(body);
  });
}

/** What a CGI program says: headers, a blank line, the body. */
function answerOf(said: Buffer): Response {
  const end = said.indexOf('\r\n\r\n');
  const headers = new Headers();
  let status = 200;
  for (const line of said.subarray(0, end).toString('latin1').split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+): (.*)$/.exec(line) ?? [];
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else if (name !== '') headers.set(name, value);
  }
  return new Response(new Uint8Array(said.subarray(end + 4)), { status, headers });
}
