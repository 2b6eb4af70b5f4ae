import type { CommandInput } from './run-command.ts';

/** `ingest <path...>`. */
export async function ingestCommand(input: CommandInput): Promise<number> {
  input.terminal.warn('pending');
  return Promise.resolve(1);
}
