import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Deliver } from '../line-buffer.ts';

/**
 * Lines appended to a file. Before each batch the path is looked at: a file that was renamed or removed, as
 * rotation does it, is opened anew. A batch that does not fit on the disk leaves nothing of itself behind.
 */
export function deliverToFile(path: string): { deliver: Deliver; close: () => Promise<void> } {
  let file: FileHandle | undefined;

  async function current(): Promise<FileHandle> {
    if (file !== undefined) {
      const [ours, theirs] = await Promise.all([file.stat(), stat(path).catch(() => undefined)]);
      if (theirs !== undefined && ours.ino === theirs.ino && ours.dev === theirs.dev) return file;
      await close();
    }
    await mkdir(dirname(path), { recursive: true });
    file = await open(path, 'a', 0o640);
    return file;
  }

  async function close(): Promise<void> {
    const open = file;
    file = undefined;
    await open?.close();
  }

  return {
    deliver: async (lines) => {
      const open = await current();
      const { size } = await open.stat();
      try {
        await open.appendFile(lines.join(''));
      } catch (error) {
        await open.truncate(size).catch(() => undefined);
        throw error;
      }
      return { again: [], lost: 0 };
    },
    close,
  };
}
