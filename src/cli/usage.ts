import type { CommandInput } from './command.ts';
import { withServer } from './with-server.ts';

const FORMATS = ['csv', 'jsonl', 'json'];

/** `usage [--by ...]` and `usage export [--format csv|jsonl|json] [--from ISO] [--to ISO]`: what was used and what it cost. */
export async function usageCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ from: options.from, to: options.to })) {
    if (value !== undefined) query.set(name, new Date(value).toISOString());
  }
  if (input.words[0] === 'export') {
    const format = options.format ?? 'csv';
    if (!FORMATS.includes(format)) {
      terminal.warn(`--format takes ${FORMATS.join(', ')}.`);
      return 2;
    }
    query.set('format', format);
    await withServer(input, (server) => server.download(`/v1/usage/export?${query.toString()}`, process.stdout));
    return 0;
  }
  if (options.by !== undefined) query.set('by', options.by);
  const answer = await withServer(input, (server) => server.json('GET', `/v1/usage?${query.toString()}`));
  terminal.print(JSON.stringify(answer, null, 2));
  return 0;
}
