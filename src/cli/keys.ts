import { parse } from 'yaml';
import { arrayAt, isJsonObject, stringAt, type JsonObject } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { visibleField } from './terminal.ts';
import { withServer } from './with-server.ts';

/** `keys create|list|change|rotate|revoke`. */
export async function keysCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  const [verb, id] = input.words;
  switch (verb) {
    case 'create': {
      if (options.name === undefined) {
        terminal.warn('A key needs a name: sekisho keys create --name "my app"');
        return 2;
      }
      const fields = fieldsOf(input);
      if (fields === undefined) return 2;
      const made = await withServer(input, (server) => server.json('POST', '/v1/keys', fields));
      terminal.print(stringAt(made, 'key') ?? '');
      terminal.warn(`Key ${stringAt(made, 'id')} is made. It is shown this once.`);
      return 0;
    }
    case 'list': {
      const { data } = await withServer(input, async (server) => ({
        data: arrayAt(await server.json('GET', '/v1/keys'), 'data'),
      }));
      for (const key of data.filter(isJsonObject)) {
        const state = key['revoked_at'] !== null ? 'revoked' : (stringAt(key, 'expires_at') ?? 'no expiry');
        terminal.print(
          `${stringAt(key, 'id')}  ${stringAt(key, 'hint')}…  ${stringAt(key, 'role')?.padEnd(6)}  ${state}  ${visibleField(stringAt(key, 'name') ?? '')}`,
        );
      }
      return 0;
    }
    case 'change': {
      const fields = id === undefined ? undefined : fieldsOf(input);
      if (id === undefined || fields === undefined) {
        if (id === undefined) terminal.warn('Which key? sekisho keys change <id> --name NAME --limits JSON ...');
        return 2;
      }
      const changed = await withServer(input, (server) =>
        server.json('PATCH', `/v1/keys/${encodeURIComponent(id)}`, fields),
      );
      terminal.print(JSON.stringify(changed));
      return 0;
    }
    case 'rotate': {
      if (id === undefined) {
        terminal.warn('Which key? sekisho keys rotate <id>');
        return 2;
      }
      const made = await withServer(input, (server) =>
        server.json('POST', `/v1/keys/${encodeURIComponent(id)}/rotate`),
      );
      terminal.print(stringAt(made, 'key') ?? '');
      terminal.warn('The new key is shown this once; the old one has ended.');
      return 0;
    }
    case 'revoke': {
      if (id === undefined) {
        terminal.warn('Which key? sekisho keys revoke <id>; the ids are in: sekisho keys list');
        return 2;
      }
      await withServer(input, (server) => server.json('DELETE', `/v1/keys/${encodeURIComponent(id)}`));
      terminal.print(`Key ${id} is revoked.`);
      return 0;
    }
    default:
      terminal.warn('keys takes create, list, change, rotate or revoke.');
      return 2;
  }
}

/** What the options say of a key; undefined where one of them says nothing that can be understood, which is told. */
function fieldsOf({ options, terminal }: CommandInput): JsonObject | undefined {
  const { name, role, route, team, group, expires, budget } = options;
  const attributes = options.attribute && attributesOf(options.attribute);
  const expiresMs = expires === undefined ? undefined : Date.parse(expires);
  const given: unknown = options.limits === undefined ? {} : parse(options.limits);
  const dollars = budget === undefined ? undefined : Number(budget);
  const wrong = Number.isNaN(expiresMs)
    ? 'expires'
    : Number.isNaN(dollars)
      ? 'budget'
      : attributes === null
        ? 'attribute'
        : 'limits';
  if (Number.isNaN(expiresMs) || Number.isNaN(dollars) || attributes === null || !isJsonObject(given)) {
    terminal.warn(`--${wrong} cannot be understood.`);
    return undefined;
  }
  const limits = { ...given, ...(dollars !== undefined && { budget_usd_per_month: dollars }) };
  return {
    ...(name !== undefined && { name }),
    ...(role !== undefined && { role }),
    ...(route !== undefined && { allowed_routes: route }),
    ...(team !== undefined && { team }),
    ...(group !== undefined && { groups: group }),
    ...(attributes !== undefined && { attributes }),
    ...(expiresMs !== undefined && { expires_at: new Date(expiresMs).toISOString() }),
    ...((options.limits !== undefined || dollars !== undefined) && { limits }),
  };
}

/** `name=value` words as an object of lists; null where one of them is none. */
function attributesOf(words: readonly string[]): Record<string, string[]> | null {
  const attributes = new Map<string, string[]>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) return null;
    const name = word.slice(0, at);
    attributes.set(name, [...(attributes.get(name) ?? []), word.slice(at + 1)]);
  }
  return Object.fromEntries(attributes);
}
