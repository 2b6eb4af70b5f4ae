import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Files carry a dot, folders do not. The last is the one file outside that is bundled, not only its types. */
const INPUTS = ['package.json', 'tsconfig.json', 'build.ts', 'src', 'styles', '../src/lib/json.ts'];

/**
 * The sha-256 (hex) of everything the console is built from: names and contents of its sources, its
 * package.json (which pins React) and the bundler's version. Equal fingerprint, equal build.
 * Undefined where `root` has no console sources, as in the published package.
 */
export async function consoleFingerprint(root: string): Promise<string | undefined> {
  const folder = join(root, 'console');
  const hash = createHash('sha256').update(Bun.version);
  try {
    for (const file of await inputFiles(folder)) {
      hash.update(`\0${file}\0`).update(await readFile(join(folder, file)));
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

async function inputFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const input of INPUTS) {
    if (input.includes('.')) {
      files.push(input);
      continue;
    }
    const entries = await readdir(join(folder, input), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (entry.isFile()) files.push(join(entry.parentPath, entry.name).slice(folder.length + 1));
    }
  }
  return files.toSorted();
}
