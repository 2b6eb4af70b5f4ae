import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startSekisho } from '../app.ts';
import { ownerOf } from '../data-folder.ts';
import { Secret } from '../lib/secret.ts';
import type { CommandInput } from './command.ts';
import { createServerClient, type ServerClient } from './server-client.ts';
import { settingsOf } from './settings-of.ts';

/**
 * Runs work against the server that owns the data folder; where none runs, one is started on a free port of
 * this machine for as long as the work takes. So a command does the same in both cases.
 */
export async function withServer<T>(input: CommandInput, work: (server: ServerClient) => Promise<T>): Promise<T> {
  const settings = settingsOf(input);
  const owner = ownerOf(settings.dataFolder);
  if (owner !== undefined) {
    const file = join(settings.dataFolder, 'cli-key');
    if (!existsSync(file)) throw new Error(`The key of the command line is missing at ${file}.`);
    return work(createServerClient({ url: owner.url, key: new Secret(readFileSync(file, 'utf8').trim()) }));
  }
  const sekisho = await startSekisho(
    { ...settings, host: '127.0.0.1', port: 0, logLevel: settings.logLevel === 'info' ? 'warn' : settings.logLevel },
    { onHandbookProgress: (done, total) => input.terminal.progress('Indexing the handbook', done, total) },
  );
  try {
    return await work(createServerClient({ url: sekisho.url, key: sekisho.cliKey }));
  } finally {
    await sekisho.stop();
  }
}
