import { readFile } from 'node:fs/promises';
import { arrayAt, isJsonObject, numberAt, objectAt, stringAt } from '../lib/json.ts';
import { findFiles, type FoundFile } from '../rag/ingest/read-files.ts';
import type { CommandInput } from './command.ts';
import { followTask, taskProblem } from './follow-task.ts';
import { withServer } from './with-server.ts';

/** Files per upload, and bytes after which an upload is sent before it is full. */
const BATCH_FILES = 50;
const BATCH_BYTES = 8 * 1024 * 1024;

/**
 * `ingest <path...> [--background]`: files and folders into a collection, as jobs whose progress is shown, or handed
 * over and left alone. Exit code 1 where a file failed.
 */
export async function ingestCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  if (input.words.length === 0) {
    terminal.warn('What is to be indexed? sekisho ingest ./docs --collection handbook');
    return 2;
  }
  const collection = options.collection ?? 'default';
  const found = await Array.fromAsync(findFiles(input.words));
  const files = found.filter((file): file is FoundFile & { path: string } => 'path' in file);
  const skipped = found.filter((file): file is FoundFile & { skipped: string } => 'skipped' in file);
  if (files.length === 0) {
    terminal.warn('There is no file that can be read.');
    for (const { id, skipped: why } of skipped.slice(0, 20)) terminal.warn(`  ${id}: ${why}`);
    return 1;
  }

  const totals = { indexed: 0, unchanged: 0, chunks: 0 };
  const failed: string[] = [];
  const startedMs = performance.now();
  const handedOver: string[] = [];
  const label = options.background === true ? `Handing over to ${collection}` : `Indexing into ${collection}`;
  await withServer(input, async (server) => {
    let done = 0;
    for (let batch = await nextBatch(files, done); batch.length > 0; batch = await nextBatch(files, done)) {
      const id =
        stringAt(await server.upload('/v1/batch_index', batch, { collection_name: collection }), 'task_id') ?? '';
      handedOver.push(id);
      if (options.background !== true) {
        const before = done;
        const task = await followTask(server, id, (ended) => {
          // A full bar ends its line; that is for the end of the batch.
          if (before + ended < files.length) terminal.progress(label, before + ended, files.length);
        });
        const result = objectAt(task, 'result') ?? {};
        for (const key of ['indexed', 'unchanged', 'chunks'] as const) totals[key] += numberAt(result, key) ?? 0;
        const progress = objectAt(task, 'progress') ?? {};
        for (const each of arrayAt(progress, 'failures').filter(isJsonObject)) {
          failed.push(`${stringAt(each, 'id')}: ${stringAt(each, 'reason')}`);
        }
        const problem = taskProblem(task);
        if (problem !== undefined && failed.length === 0) failed.push(`${id}: ${problem}`);
      }
      done += batch.length;
      terminal.progress(label, done, files.length);
    }
  });
  if (options.background === true) {
    for (const id of handedOver) terminal.print(id);
    terminal.warn(
      `${files.length} files are handed over; sekisho tasks watch ${handedOver[0] ?? ''} shows how far they are.`,
    );
    return 0;
  }

  const seconds = (performance.now() - startedMs) / 1000;
  terminal.print(
    `${collection}: ${totals.indexed} indexed, ${totals.unchanged} unchanged, ${failed.length} failed, ${totals.chunks} chunks in ${seconds.toFixed(1)} s`,
  );
  for (const line of failed.slice(0, 50)) terminal.warn(`  failed: ${line}`);
  for (const { id, skipped: why } of skipped.slice(0, 20)) terminal.warn(`  passed over: ${id}: ${why}`);
  if (skipped.length > 20) terminal.warn(`  passed over: ${skipped.length - 20} more`);
  return failed.length === 0 ? 0 : 1;
}

async function nextBatch(
  files: readonly { id: string; path: string }[],
  from: number,
): Promise<{ name: string; bytes: Uint8Array }[]> {
  const batch: { name: string; bytes: Uint8Array }[] = [];
  let bytes = 0;
  for (const file of files.slice(from, from + BATCH_FILES)) {
    const content = await readFile(file.path);
    batch.push({ name: file.id, bytes: content });
    bytes += content.length;
    if (bytes >= BATCH_BYTES) break;
  }
  return batch;
}
