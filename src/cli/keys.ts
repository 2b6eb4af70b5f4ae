import { arrayAt, isJsonObject, stringAt } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { visibleField } from './terminal.ts';
import { withServer } from './with-server.ts';

/** `keys create|list|rotate|revoke`. */
export async function keysCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  const [verb, id] = input.words;
  switch (verb) {
    case 'create': {
      if (options.name === undefined) {
        terminal.warn('A key needs a name: sekisho keys create --name "my app"');
        return 2;
      }
      const budget = options.budget === undefined ? undefined : Number(options.budget);
      const made = await withServer(input, (server) =>
        server.json('POST', '/v1/keys', {
          name: options.name,
          ...(options.role !== undefined && { role: options.role }),
          ...(options.route !== undefined && { allowed_routes: options.route }),
          ...(options.team !== undefined && { team: options.team }),
          ...(options.expires !== undefined && { expires_at: new Date(options.expires).toISOString() }),
          ...(budget !== undefined && { limits: { budget_usd_per_month: budget } }),
        }),
      );
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
      terminal.warn('keys takes create, list, rotate or revoke.');
      return 2;
  }
}
