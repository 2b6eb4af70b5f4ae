import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { extensionOf, KNOWN_EXTENSIONS } from './parse/file-format.ts';

/** A file to be ingested, or why it is not. `id` is its path below the place that was named, with slashes. */
export type FoundFile = { id: string; path: string } | { id: string; skipped: string };

const MAX_DEPTH = 32;
const MAX_FILES = 100_000;
const MAX_BYTES = 50 * 1024 * 1024;

/**
 * Walks files and folders in order of names. Hidden entries and links are passed over; a format that cannot
 * be read, or a file that is too large, is reported.
 * @throws Error where a named path does not exist or there are more files than the bound.
 */
export async function* findFiles(paths: readonly string[]): AsyncGenerator<FoundFile> {
  let found = 0;
  for (const path of paths) {
    const root = await stat(path).catch((cause: unknown) => {
      throw new Error(`There is no file or folder ${path}.`, { cause });
    });
    for await (const file of root.isDirectory() ? walk(path, path, 0) : [describe(path, basename(path), root.size)]) {
      if (++found > MAX_FILES) throw new Error(`More than ${MAX_FILES} files; name smaller folders.`);
      yield file;
    }
  }
}

async function* walk(root: string, folder: string, depth: number): AsyncGenerator<FoundFile> {
  if (depth > MAX_DEPTH) return;
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith('.') || name === 'node_modules') continue;
    const path = join(folder, name);
    const entry = await lstat(path);
    if (entry.isDirectory()) yield* walk(root, path, depth + 1);
    else if (entry.isFile()) yield describe(path, relative(root, path).replaceAll('\\', '/'), entry.size);
  }
}

function describe(path: string, id: string, bytes: number): FoundFile {
  if (!KNOWN_EXTENSIONS.includes(extensionOf(path))) return { id, skipped: 'the format cannot be read' };
  if (bytes > MAX_BYTES) return { id, skipped: `larger than ${MAX_BYTES} bytes` };
  return bytes === 0 ? { id, skipped: 'empty' } : { id, path };
}
