import { SourceProblem } from './connector.ts';

type Entry = Uint8Array | 'folder';

/** The verbs of a file system that isomorphic-git asks for. */
export interface MemoryFiles {
  promises: {
    readFile(path: string, options?: string | { encoding?: string }): Promise<Uint8Array | string>;
    writeFile(path: string, data: Uint8Array | string): Promise<void>;
    unlink(path: string): Promise<void>;
    readdir(path: string): Promise<string[]>;
    mkdir(path: string): Promise<void>;
    rmdir(path: string): Promise<void>;
    stat(path: string): Promise<object>;
    lstat(path: string): Promise<object>;
    readlink(path: string): Promise<string>;
    symlink(target: string, path: string): Promise<void>;
  };
}

/**
 * Files that are nowhere but in memory, up to so many bytes: whatever a repository calls its branches and files, none
 * of it becomes a path of this machine.
 */
export function createMemoryFiles(maxBytes: number): MemoryFiles {
  const entries = new Map<string, Entry>([['/', 'folder']]);
  let bytes = 0;

  const at = (path: string): string =>
    `/${path
      .split('/')
      .filter((part) => part !== '')
      .join('/')}`;
  const get = (path: string): Entry => {
    const entry = entries.get(at(path));
    if (entry === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    return entry;
  };
  const remove = (path: string): Promise<void> => {
    const entry = get(path);
    if (entry !== 'folder') bytes -= entry.length;
    entries.delete(at(path));
    return Promise.resolve();
  };
  const stat = async (path: string): Promise<object> => {
    const entry = get(path);
    const isFolder = entry === 'folder';
    return {
      type: isFolder ? 'dir' : 'file',
      mode: isFolder ? 0o40_000 : 0o100_644,
      size: isFolder ? 0 : entry.length,
      ino: 0,
      mtimeMs: 0,
      ctimeMs: 0,
      uid: 0,
      gid: 0,
      dev: 0,
      isFile: () => !isFolder,
      isDirectory: () => isFolder,
      isSymbolicLink: () => false,
    };
  };

  return {
    promises: {
      readFile: async (path, options) => {
        const entry = get(path);
        if (entry === 'folder') throw Object.assign(new Error(`EISDIR: ${path}`), { code: 'EISDIR' });
        const encoding = typeof options === 'string' ? options : options?.encoding;
        return encoding === undefined ? entry : new TextDecoder().decode(entry);
      },
      writeFile: async (path, data) => {
        const content = typeof data === 'string' ? new TextEncoder().encode(data) : data;
        const before = entries.get(at(path));
        bytes += content.length - (before === undefined || before === 'folder' ? 0 : before.length);
        if (bytes > maxBytes) throw new SourceProblem(`the repository is larger than ${maxBytes} bytes`);
        entries.set(at(path), content);
      },
      unlink: remove,
      rmdir: remove,
      readdir: async (path) => {
        const folder = at(path) === '/' ? '/' : `${at(path)}/`;
        if (get(path) !== 'folder') throw Object.assign(new Error(`ENOTDIR: ${path}`), { code: 'ENOTDIR' });
        return [...entries.keys()]
          .filter((each) => each.startsWith(folder) && each !== folder && !each.slice(folder.length).includes('/'))
          .map((each) => each.slice(folder.length));
      },
      mkdir: async (path) => {
        if (entries.has(at(path))) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' });
        get(at(path).slice(0, at(path).lastIndexOf('/')) || '/');
        entries.set(at(path), 'folder');
      },
      stat,
      lstat: stat,
      readlink: async (path) => {
        throw Object.assign(new Error(`EINVAL: ${path}`), { code: 'EINVAL' });
      },
      symlink: async () => {
        throw new SourceProblem('a link was to be made of what is only read');
      },
    },
  };
}
