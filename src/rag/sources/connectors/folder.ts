import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { createFileChoice, type Choice } from './choose-keys.ts';
import { SourceProblem, type Connector, type FetchedItem, type Listed } from './connector.ts';

export interface FolderOptions extends Choice {
  path: string;
  /** Folders that may be read, with everything below. */
  roots: readonly string[];
}

const MAX_DEPTH = 32;
const MAX_FILE_BYTES = 50 * 1024 * 1024;

/**
 * The real place of a folder, if it lies in one of those that may be read. @throws SourceProblem where it does not,
 * or is not there: the words are the same, so that nobody can ask what there is elsewhere.
 */
export async function allowedFolder(path: string, roots: readonly string[]): Promise<string> {
  const real = await realpath(path).catch(() => undefined);
  for (const root of real === undefined ? [] : roots) {
    const realRoot = await realpath(root).catch(() => undefined);
    if (real !== undefined && realRoot !== undefined && lies(real, realRoot)) return real;
  }
  throw new SourceProblem('the folder is not there, or not one that sources.folders of the configuration allows');
}

/**
 * Files below a folder, in order of names; the path with slashes is the key, time and size are the stamp. Hidden
 * entries and links are passed over, so that nothing outside is reached.
 */
export function createFolderConnector(options: FolderOptions): Connector {
  const isWanted = createFileChoice(options);

  async function* walk(root: string, below: string, depth: number): AsyncGenerator<Listed, boolean> {
    if (depth > MAX_DEPTH) return false;
    let complete = true;
    const names = await readdir(join(root, below)).catch((cause: unknown) => {
      if (below === '') throw new SourceProblem('the folder cannot be read', { cause });
      return undefined;
    });
    if (names === undefined) {
      yield { kind: 'failed', key: below, reason: 'the folder cannot be read' };
      return false;
    }
    for (const name of names.sort()) {
      if (name.startsWith('.') || name === 'node_modules') continue;
      const key = `${below}${name}`;
      const path = join(root, key);
      const entry = await lstat(path).catch(() => undefined);
      // What has gone between the listing and the look is gone.
      if (entry === undefined) continue;
      if (entry.isDirectory()) complete = (yield* walk(root, `${key}/`, depth + 1)) && complete;
      else if (entry.isFile() && isWanted(key)) {
        const stamp = `${entry.mtimeMs}-${entry.ctimeMs}-${entry.size}-${entry.ino}`;
        yield { kind: 'item', key, stamp, fetch: () => readInside(root, path) };
      }
    }
    if (complete) yield { kind: 'listed', prefix: below };
    return complete;
  }

  return {
    list: async function* ({ signal }) {
      const root = await allowedFolder(options.path, options.roots);
      for (const walking = walk(root, '', 0); ;) {
        signal.throwIfAborted();
        const next = await walking.next();
        if (next.done !== true) yield next.value;
        else return next.value ? { complete: true } : { complete: false, reason: 'a folder could not be read' };
      }
    },
  };
}

/** Reads a regular file, sure that it lies below the root also where a folder on the way was exchanged for a link. */
async function readInside(root: string, path: string): Promise<FetchedItem | 'gone'> {
  // A pipe would wait for a writer for ever.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new SourceProblem('the file cannot be read', { cause });
  });
  if (file === undefined) return 'gone';
  try {
    const real = await readlink(`/proc/self/fd/${file.fd}`).catch(() => realpath(path));
    if (!lies(real, root)) throw new SourceProblem('the file lies outside the folder');
    const entry = await file.stat();
    const { size, mtime } = entry;
    if (!entry.isFile()) throw new SourceProblem('it is no regular file');
    if (size > MAX_FILE_BYTES) throw new SourceProblem(`it is larger than ${MAX_FILE_BYTES} bytes`);
    const bytes = new Uint8Array(size);
    let read = 0;
    while (read < size) {
      const { bytesRead } = await file.read(bytes, read, size - read, read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    const name = path.split(sep).at(-1) ?? path;
    return { name, bytes: bytes.subarray(0, read), modified: mtime.toISOString() };
  } finally {
    await file.close();
  }
}

function lies(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : `${root}${sep}`);
}
