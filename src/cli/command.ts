import type { parseArgs } from 'node:util';
import type { Environment } from '../config/env.ts';
import type { Terminal } from './terminal.ts';

/** What a command gets: its words, its options, the environment, a place to write. */
export interface CommandInput {
  words: string[];
  options: CommandOptions;
  environment: Environment;
  terminal: Terminal;
}

/** Every option that a command takes. */
export const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  config: { type: 'string', short: 'c' },
  data: { type: 'string', short: 'd' },
  port: { type: 'string', short: 'p' },
  collection: { type: 'string' },
  name: { type: 'string' },
  role: { type: 'string' },
  route: { type: 'string', multiple: true },
  expires: { type: 'string' },
  budget: { type: 'string' },
  limits: { type: 'string' },
  'top-k': { type: 'string' },
  team: { type: 'string' },
  group: { type: 'string', multiple: true },
  attribute: { type: 'string', multiple: true },
  file: { type: 'string', short: 'f' },
  tag: { type: 'string' },
  document: { type: 'string' },
  pattern: { type: 'string' },
  by: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  format: { type: 'string' },
  k: { type: 'string' },
  background: { type: 'boolean' },
  state: { type: 'string' },
  queue: { type: 'string' },
} as const;

export type CommandOptions = ReturnType<
  typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>
>['values'];

/** Runs one command. Exit code: 0 done, 1 failed, 2 misused. */
export type Command = (input: CommandInput) => Promise<number>;
