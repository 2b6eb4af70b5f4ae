import { numberAt } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { withServer } from './with-server.ts';

/** `cache stats|clear [--route NAME | --tag TAG | --document ID | --pattern GLOB]`. */
export async function cacheCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  switch (input.words[0]) {
    case 'stats': {
      terminal.print(JSON.stringify(await withServer(input, (server) => server.json('GET', '/v1/cache')), null, 2));
      return 0;
    }
    case 'clear': {
      const { tag, document, pattern } = options;
      const route = options.route?.[0];
      const chosen = Object.entries({ route, tag, document, pattern }).filter(([, value]) => value !== undefined);
      const selection = chosen.length === 0 ? { all: true } : Object.fromEntries(chosen);
      const answer = await withServer(input, (server) => server.json('POST', '/v1/cache/invalidate', selection));
      terminal.print(`${numberAt(answer, 'removed') ?? 0} answers are forgotten.`);
      return 0;
    }
    default:
      terminal.warn('cache takes stats or clear.');
      return 2;
  }
}
