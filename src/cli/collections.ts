import { readFileSync } from 'node:fs';
import { numberAt, isJsonObject, parseJson, stringAt, arrayAt, type JsonObject } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { withServer } from './with-server.ts';

const USAGE = `collections takes list, show NAME, create NAME [SETTINGS], set NAME SETTINGS, copy NAME TO, rename NAME TO,
delete NAME, rebuild NAME, cancel NAME, swap NAME [force], rollback NAME. Settings are JSON, or a file: --file FILE.`;

/** `collections list|show|create|set|copy|rename|delete|rebuild|cancel|swap|rollback`. */
export async function collectionsCommand(input: CommandInput): Promise<number> {
  const { terminal, words } = input;
  const [verb, name, word] = words;
  const told = await withServer(input, async (server): Promise<JsonObject | 'misused'> => {
    if (verb === 'list') return server.json('GET', '/v1/collections');
    if (name === undefined) return 'misused';
    const path = `/v1/collections/${encodeURIComponent(name)}`;
    switch (verb) {
      case 'show':
        return server.json('GET', path);
      case 'create':
        return server.json('POST', '/v1/collections', { name, settings: settingsOf(input) ?? {} });
      case 'set': {
        const settings = settingsOf(input);
        return settings === undefined ? 'misused' : server.json('PATCH', path, { settings });
      }
      case 'copy':
        return word === undefined ? 'misused' : server.json('POST', `${path}/copy`, { name: word });
      case 'rename':
        return word === undefined ? 'misused' : server.json('PATCH', path, { name: word });
      case 'delete':
        return server.json('DELETE', path);
      case 'rebuild':
      case 'rollback':
        return server.json('POST', `${path}/${verb}`);
      case 'cancel':
        return server.json('DELETE', `${path}/shadow`);
      case 'swap':
        return server.json('POST', `${path}/swap`, { force: word === 'force' });
      default:
        return 'misused';
    }
  });
  if (told === 'misused') {
    terminal.warn(USAGE);
    return 2;
  }
  terminal.print(verb === 'list' ? table(told) : JSON.stringify(told, null, 2));
  return 0;
}

/** @throws Error where what was given is not a JSON object. */
function settingsOf({ words, options }: CommandInput): JsonObject | undefined {
  const text = options.file === undefined ? words[2] : readFileSync(options.file, 'utf8');
  if (text === undefined) return undefined;
  const settings = parseJson(text);
  if (!isJsonObject(settings)) throw new Error('Settings are a JSON object, as {"retrieval": {"top_k": 8}}.');
  return settings;
}

function table(answer: JsonObject): string {
  const rows = arrayAt(answer, 'data')
    .filter(isJsonObject)
    .map((row) => {
      const count = (field: string): string => String(numberAt(row, field) ?? 0);
      const parts = [`${count('documents')} documents`, `${count('chunks')} chunks`];
      if (count('pending') !== '0') parts.push(`${count('pending')} waiting`);
      if (count('failed') !== '0') parts.push(`${count('failed')} failed`);
      return `${stringAt(row, 'name') ?? ''}  ${parts.join(', ')}  ${stringAt(row, 'embedding_model') ?? ''}`;
    });
  return rows.length === 0 ? 'There are no collections.' : rows.join('\n');
}
