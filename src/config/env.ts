/** The environment as the process was started with it: the one place that reads `process.env`. */
export interface Environment {
  get(name: string): string | undefined;
}

/** Variables that are set to an empty string count as not set. */
export function readEnvironment(variables: Record<string, string | undefined> = process.env): Environment {
  return { get: (name) => variables[name]?.trim() || undefined };
}

const HTTP_LIMIT = 'BUN_CONFIG_MAX_HTTP_REQUESTS';

/**
 * Raises the number of calls that the HTTP client may have open, 256 by default, which a gateway outgrows.
 * The client reads it when the process starts, so the process replaces itself, once; its id stays.
 * The log level of the index engine, which reads it as early, is set along the way: its warnings are about its
 * own upkeep. Where a system cannot replace a process this changes nothing.
 */
export function restartWithHttpLimit(): void {
  // Node's types of this version do not know it yet.
  const { execve } = process as { execve?: (file: string, args: string[], env: NodeJS.ProcessEnv) => never };
  if (execve === undefined || process.env[HTTP_LIMIT] !== undefined) return;
  const args = [process.execPath, ...process.argv.slice(1)];
  execve.call(process, process.execPath, args, {
    ...process.env,
    [HTTP_LIMIT]: '16384',
    LANCE_LOG: process.env['LANCE_LOG'] ?? 'error',
  });
}
