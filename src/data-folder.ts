import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, numberAt, parseJson, stringAt } from './lib/json.ts';

/** The process that owns a data folder and where it answers. */
export interface Owner {
  pid: number;
  url: string;
}

/** The folder in which the embedded stores live. It has one owner at a time. */
export interface DataFolder {
  path: string;
  database: string;
  /** What is kept of upstream answers where the state is elsewhere. */
  cacheDatabase: string;
  index: string;
  /** The key with which the command line of the same user reaches the server; readable by that user only. */
  cliKey: string;
  /** Where calls are written down before the database has them. */
  ledgerJournal: string;
  /** What seals stored credentials where the environment gives no master key; readable by that user only. */
  masterKey: string;
  /** What the handbook was last made from. */
  handbook: string;
  /** Nothing has ever been stored here. */
  isNew: boolean;
  publish(owner: Owner): void;
  release(): void;
}

/** The live owner of a data folder, if there is one. */
export function ownerOf(path: string): Owner | undefined {
  const file = join(path, 'server.json');
  if (!existsSync(file)) return undefined;
  const owner = parseJson(readFileSync(file, 'utf8'));
  if (!isJsonObject(owner)) return undefined;
  const pid = numberAt(owner, 'pid');
  return pid !== undefined && pid !== process.pid && isAlive(pid)
    ? { pid, url: stringAt(owner, 'url') ?? '' }
    : undefined;
}

/**
 * Takes a data folder for this process.
 * @throws Error in plain words where another live process has it, or where it cannot be written.
 */
export function takeDataFolder(path: string): DataFolder {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Error(`The data folder ${path} cannot be made. Choose another with SEKISHO_DATA.`, { cause });
  }
  const file = join(path, 'server.json');
  for (;;) {
    try {
      const handle = openSync(file, 'wx', 0o600);
      writeSync(handle, JSON.stringify({ pid: process.pid }));
      closeSync(handle);
      break;
    } catch (cause) {
      if (!existsSync(file)) throw new Error(`The data folder ${path} cannot be written.`, { cause });
      const owner = ownerOf(path);
      if (owner !== undefined) {
        const place = owner.url === '' ? '' : ` at ${owner.url}`;
        throw new Error(`The data folder ${path} is in use by process ${owner.pid}${place}.`, { cause });
      }
      rmSync(file, { force: true });
    }
  }
  return {
    path,
    database: join(path, 'sekisho.db'),
    cacheDatabase: join(path, 'cache.db'),
    index: join(path, 'index'),
    cliKey: join(path, 'cli-key'),
    ledgerJournal: join(path, 'ledger-journal'),
    masterKey: join(path, 'master-key'),
    handbook: join(path, 'handbook-hash'),
    isNew: !existsSync(join(path, 'sekisho.db')),
    publish: (owner) => writeFileSync(file, JSON.stringify(owner), { mode: 0o600 }),
    release: () => rmSync(file, { force: true }),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process exists but belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
