import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { arrayAt, isJsonObject, stringAt, type JsonObject } from '../lib/json.ts';
import type { Command, CommandInput } from './command.ts';
import { withServer } from './with-server.ts';

/**
 * `routes|providers|targets|limits|prices list|set|remove`: what an administrator changes while the server runs.
 * A value is JSON or YAML, given as a word or with `--file`. `providers test`, `targets health` and `targets reset` beside.
 */
export function settingsCommand(resource: 'routes' | 'providers' | 'targets' | 'limits' | 'prices'): Command {
  return async (input) => {
    const { terminal } = input;
    const [verb, name] = input.words;
    const path = `/v1/${resource}${name === undefined ? '' : `/${name.split('/').map(encodeURIComponent).join('/')}`}`;
    switch (verb) {
      case 'list': {
        const answer = await withServer(input, (server) => server.json('GET', `/v1/${resource}`));
        for (const row of arrayAt(answer, 'data').filter(isJsonObject)) terminal.print(lineOf(row));
        return 0;
      }
      case 'set': {
        const value = valueOf(input);
        if (name === undefined || value === undefined) {
          terminal.warn(`sekisho ${resource} set <name> '<JSON or YAML>'   or   --file FILE`);
          return 2;
        }
        await withServer(input, (server) => server.json('PUT', path, value));
        terminal.print(`${name} is set.`);
        return 0;
      }
      case 'remove': {
        if (name === undefined) {
          terminal.warn(`Which one? sekisho ${resource} remove <name>`);
          return 2;
        }
        await withServer(input, (server) => server.json('DELETE', path));
        terminal.print(`${name} is removed; what the file says of it holds again.`);
        return 0;
      }
      case 'health': {
        if (resource !== 'targets') break;
        const answer = await withServer(input, (server) => server.json('GET', '/v1/targets/health'));
        for (const row of arrayAt(answer, 'data').filter(isJsonObject)) terminal.print(lineOf(row));
        return 0;
      }
      case 'test':
      case 'reset': {
        if (name === undefined || resource !== (verb === 'test' ? 'providers' : 'targets')) break;
        const answer = await withServer(input, (server) => server.json('POST', `${path}/${verb}`));
        terminal.print(JSON.stringify(answer));
        return answer['ok'] === false ? 1 : 0;
      }
      default:
        break;
    }
    const more = resource === 'providers' ? ', test' : resource === 'targets' ? ', health, reset' : '';
    terminal.warn(`${resource} takes list, set, remove${more}.`);
    return 2;
  };
}

function valueOf({ words, options }: CommandInput): JsonObject | undefined {
  const text = options.file === undefined ? words[2] : readFileSync(options.file, 'utf8');
  const value: unknown = text === undefined ? undefined : parse(text);
  return isJsonObject(value) ? value : undefined;
}

/** One row: its name, where it comes from, and the rest as JSON. */
function lineOf({ name, target, source, value, ...rest }: JsonObject): string {
  const title = typeof name === 'string' ? name : (stringAt({ target }, 'target') ?? '');
  const origin = typeof source === 'string' ? source : '';
  return [title, origin, JSON.stringify(value ?? rest)].filter((part) => part !== '').join('  ');
}
