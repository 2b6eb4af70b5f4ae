import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import { GuardedFetchError, type GuardedRequest } from '../../../lib/guarded-request.ts';
import { createFileChoice, type Choice } from './choose-keys.ts';
import { SourceProblem, type Connector, type FetchedItem, type Listed } from './connector.ts';
import { createMemoryFiles } from './memory-files.ts';
import { USER_AGENT } from './web-file.ts';

export interface GitOptions extends Choice {
  request: GuardedRequest;
  url: string;
  branch?: string | undefined;
  /** A folder of the repository; '' is all of it. */
  path: string;
  credentials: Readonly<Record<string, string>>;
}

const GITDIR = '/git';
const MAX_BYTES = 1024 * 1024 * 1024;
const MAX_FILE_BYTES = 50 * 1024 * 1024;
const MAX_DEPTH = 64;

/**
 * Files of the newest commit of a branch, over HTTP. Only that commit is fetched, into memory; nothing is checked
 * out, no hook, submodule, link or command of the repository is followed. The hash of a blob is the stamp, and a
 * branch that has not moved is not fetched at all.
 */
export function createGitConnector(options: GitOptions): Connector {
  const isWanted = createFileChoice(options);
  const below = options.path.split('/').filter((part) => part !== '');

  return {
    list: async function* ({ signal, memory }) {
      // Half a megabyte that only who has such a source needs.
      const git = await import('isomorphic-git');
      const http = createHttp(options, signal);
      const head = await headOf(git, http);
      const seen = `${head.oid} ${below.join('/')} ${JSON.stringify([options.include, options.exclude])}`;
      if (memory === seen) {
        yield { kind: 'same' };
        return { complete: true, memory: seen };
      }
      const fs = createMemoryFiles(MAX_BYTES);
      const cache = {};
      const place = { fs, gitdir: GITDIR, cache };
      await orProblem(async () => {
        await git.init({ fs, gitdir: GITDIR, bare: true });
        await git.addRemote({ fs, gitdir: GITDIR, remote: 'origin', url: options.url });
        const fetched = await git.fetch({
          ...place,
          http,
          remote: 'origin',
          ref: head.ref,
          remoteRef: head.ref,
          singleBranch: true,
          tags: false,
          depth: 1,
        });
        // It may have moved since it was looked at.
        head.oid = fetched.fetchHead ?? head.oid;
      }, signal);

      async function* walk(oid: string, path: string, depth: number): AsyncGenerator<Listed> {
        if (depth > MAX_DEPTH) throw new SourceProblem('the repository nests too deep');
        const { tree } = await orProblem(() => git.readTree({ ...place, oid }), signal);
        for (const entry of tree) {
          signal.throwIfAborted();
          const key = `${path}${entry.path}`;
          if (entry.type === 'tree') {
            if (mayLead(key)) yield* walk(entry.oid, `${key}/`, depth + 1);
          } else if (entry.type === 'blob' && entry.mode !== '120000' && isBelow(key) && isWanted(key)) {
            yield { kind: 'item', key, stamp: entry.oid, fetch: () => blob(entry.oid, key) };
          }
        }
      }

      async function blob(oid: string, key: string): Promise<FetchedItem> {
        const { blob: bytes } = await orProblem(() => git.readBlob({ ...place, oid }), signal);
        if (bytes.length > MAX_FILE_BYTES) throw new SourceProblem(`it is larger than ${MAX_FILE_BYTES} bytes`);
        return { name: key.split('/').at(-1) ?? key, bytes };
      }

      yield* walk(head.oid, '', 0);
      yield { kind: 'listed', prefix: '' };
      return { complete: true, memory: `${head.oid}${seen.slice(seen.indexOf(' '))}` };

      async function headOf(client: typeof git, over: HttpClient): Promise<{ ref: string; oid: string }> {
        const refs = await orProblem(
          () => client.listServerRefs({ http: over, url: options.url, protocolVersion: 1, symrefs: true }),
          signal,
        );
        const named =
          options.branch === undefined ? ['HEAD'] : [`refs/heads/${options.branch}`, `refs/tags/${options.branch}`];
        const found = named.map((name) => refs.find(({ ref }) => ref === name)).find((ref) => ref !== undefined);
        if (found === undefined) throw new SourceProblem('the repository has no such branch');
        return { ref: found.target ?? found.ref, oid: found.oid };
      }
    },
  };

  /** Whether what is wanted may lie below the folder. */
  function mayLead(folder: string): boolean {
    const parts = folder.split('/');
    return below.every((part, place) => parts[place] === undefined || parts[place] === part);
  }

  function isBelow(key: string): boolean {
    const parts = key.split('/');
    return parts.length > below.length && below.every((part, place) => parts[place] === part);
  }
}

/** What the library says may hold anything the server sent; which kind of problem it is suffices. */
async function orProblem<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof SourceProblem || thrown instanceof GuardedFetchError) throw thrown;
    throw new SourceProblem('what the host answered is no Git repository, or not allowed', { cause: thrown });
  }
}

function createHttp({ request, credentials, url: allowed }: GitOptions, signal: AbortSignal): HttpClient {
  const { origin } = new URL(allowed);
  return {
    request: async ({ url, method, headers, body }: GitHttpRequest): Promise<GitHttpResponse> => {
      const sent = body === undefined ? undefined : Buffer.concat(await Array.fromAsync(body));
      const answer = await request(url, signal, {
        ...(method === 'POST' && { method: 'POST' }),
        headers: { ...headers, 'user-agent': `git/2.0 (${USER_AGENT})` },
        // The library must not be led to another host with them.
        ...(new URL(url).origin === origin && { credentials }),
        ...(sent !== undefined && { body: new Uint8Array(sent) }),
      });
      if (answer.status === 401 || answer.status === 403) {
        throw new SourceProblem(`the repository answered ${answer.status}: it needs credentials, or other ones`);
      }
      if (answer.status === 404) throw new SourceProblem('there is no repository at this address');
      return {
        url: answer.url,
        method: method ?? 'GET',
        statusCode: answer.status,
        statusMessage: String(answer.status),
        headers: Object.fromEntries(answer.headers),
        body: onePiece(answer.bytes),
      };
    },
  };
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
