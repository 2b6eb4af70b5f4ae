import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IngestFiles } from './rag/ingest/ingest-files.ts';
import { findFiles } from './rag/ingest/read-files.ts';
import { DEFAULT_TENANT, newId } from './spec/ids.ts';

/** The collection of the project's own pages. */
const HANDBOOK = 'handbook';
/** The folders of `docs/` that speak to readers; the rest is for those who work on the code. */
const LANGUAGES = ['en', 'ja'];

/**
 * Indexes the project's own pages, in both languages, so that the first question has a real answer.
 * Pages that have not changed cost a look at their hash.
 */
export async function indexHandbook(options: {
  ingestFiles: IngestFiles;
  root: string;
  /** File that remembers what was indexed, so that an unchanged handbook costs reading it. */
  marker: string;
  signal: AbortSignal;
  onHandbookProgress?: (done: number, total: number) => void;
}): Promise<void> {
  const folders = LANGUAGES.map((language) => join(options.root, 'docs', language)).filter((folder) =>
    existsSync(folder),
  );
  const pages: { name: string; path: string }[] = [];
  for (const folder of folders) {
    for await (const file of findFiles([folder])) {
      if ('path' in file) pages.push({ name: `${folder.slice(-2)}/${file.id}`, path: file.path });
    }
  }
  if (pages.length === 0) return;
  const files = await Promise.all(pages.map(async ({ name, path }) => ({ name, bytes: await readFile(path) })));
  const hash = createHash('sha256');
  for (const { name, bytes } of files) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  const digest = hash.digest('hex');
  if (existsSync(options.marker) && (await readFile(options.marker, 'utf8')) === digest) return;
  const outcome = await options.ingestFiles({
    principal: {
      tenantId: DEFAULT_TENANT,
      keyId: 'key_process',
      name: 'Sekisho',
      role: 'admin',
      allowedRoutes: [],
      limits: {},
    },
    collection: HANDBOOK,
    files,
    signal: options.signal,
    requestId: newId('req'),
    ...(options.onHandbookProgress && { onProgress: options.onHandbookProgress }),
  });
  if (outcome.failed.length === 0) await writeFile(options.marker, digest);
}
