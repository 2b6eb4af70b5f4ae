import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Journal } from '../../ports/journal.ts';
import { SekishoError } from '../../spec/errors.ts';

const PART = /^(\d{12})\.jsonl$/;

/**
 * A journal of files in a folder that one process owns. An append is one system call and no fsync: it survives the
 * death of the process at once, and the death of the machine as far as the system has written its pages.
 */
export function createFileJournal(options: { folder: string }): Journal {
  const { folder } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const earlier = partsOf(folder);
  let part = (earlier.at(-1) ?? 0) + 1;
  let file: number | undefined;

  function end(): void {
    if (file !== undefined) closeSync(file);
    file = undefined;
  }

  return {
    append: (records) => {
      const bytes = Buffer.from(`${records.join('\n')}\n`);
      try {
        file ??= openSync(pathOf(folder, part), 'a', 0o600);
        for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      } catch (cause) {
        // Half a record may stand there now: the next one begins a part of its own.
        end();
        part++;
        throw new SekishoError('storage_unavailable', { cause });
      }
    },
    cut: () => {
      const ended = part;
      if (file !== undefined) {
        end();
        part++;
      }
      return ended;
    },
    drop: (last) => {
      for (const each of partsOf(folder)) {
        if (each <= last && (each !== part || file === undefined)) rmSync(pathOf(folder, each), { force: true });
      }
    },
    left: () =>
      earlier.flatMap((each) => {
        const lines = readFileSync(pathOf(folder, each), 'utf8').split('\n');
        // What follows the last line break was torn by the end of its process, or is nothing.
        return lines.slice(0, -1);
      }),
    close: end,
  };
}

function partsOf(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => PART.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function pathOf(folder: string, part: number): string {
  return join(folder, `${String(part).padStart(12, '0')}.jsonl`);
}
