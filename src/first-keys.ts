import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Keys } from './access/keys.ts';
import type { DataFolder } from './data-folder.ts';
import { Secret } from './lib/secret.ts';
import { DEFAULT_TENANT } from './spec/ids.ts';

const CLI_KEY = 'command line';

/** The keys of the first start: one for the command line, kept in the data folder, and one for the user, shown once. */
export async function firstKeys(keys: Keys, folder: DataFolder, wantsFirst: boolean) {
  const tenantId = DEFAULT_TENANT;
  let cliKey: Secret;
  if (existsSync(folder.cliKey)) {
    cliKey = new Secret(readFileSync(folder.cliKey, 'utf8').trim());
  } else {
    cliKey = (await keys.create({ tenantId, name: CLI_KEY, role: 'admin' })).secret;
    writeFileSync(folder.cliKey, `${cliKey.reveal()}\n`, { mode: 0o600 });
  }
  const isFirst = wantsFirst && (await keys.list(tenantId)).every(({ name }) => name === CLI_KEY);
  const firstKey = isFirst ? (await keys.create({ tenantId, name: 'first key', role: 'admin' })).secret : undefined;
  return { firstKey, cliKey };
}

/** The master key of this data folder, made when first needed. */
export function keptMasterKey({ masterKey }: DataFolder): Secret {
  if (!existsSync(masterKey)) writeFileSync(masterKey, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  return new Secret(readFileSync(masterKey, 'utf8').trim());
}
