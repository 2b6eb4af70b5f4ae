import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the files of a folder and its subfolders hold together. A file that goes meanwhile counts nothing. */
export function bytesUnder(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce(
      (sum, entry) => sum + (statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
}
