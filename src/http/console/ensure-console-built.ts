import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { consoleFingerprint } from './console-fingerprint.ts';

/** Where the built console lies. `problem` says, for the log, why it is missing or older than its sources. */
export interface BuiltConsole {
  folder: string;
  problem?: string;
}

/**
 * Makes sure that `root`/console/dist holds a build of the console's present sources. Where the sources are
 * absent (the published package) the shipped build is taken as it is; where nothing changed, nothing is built:
 * that costs reading the sources. The build runs in a process of its own, so that the bundler's memory does
 * not stay with the server. Never throws: a server without its console still serves.
 */
export async function ensureConsoleBuilt(options: { root: string }): Promise<BuiltConsole> {
  const folder = join(options.root, 'console', 'dist');
  try {
    const wanted = await consoleFingerprint(options.root);
    if (wanted === undefined || (await builtFingerprint(folder)) === wanted) return { folder };
    const build = Bun.spawn([process.execPath, join(options.root, 'console', 'build.ts')], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    });
    const [code, output] = await Promise.all([build.exited, new Response(build.stderr).text()]);
    return code === 0 ? { folder } : { folder, problem: output.trim().slice(0, 2000) };
  } catch (error) {
    return { folder, problem: error instanceof Error ? error.message : String(error) };
  }
}

async function builtFingerprint(folder: string): Promise<string | undefined> {
  try {
    return (await readFile(join(folder, 'fingerprint.txt'), 'utf8')).trim();
  } catch {
    return undefined;
  }
}
