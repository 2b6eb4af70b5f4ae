import type { Vault } from '../../access/vault.ts';
import { parseJson } from '../../lib/json.ts';
import { Secret } from '../../lib/secret.ts';
import {
  destinationOf,
  sourceCredentialsSchema,
  type SourceCredentials,
  type SourceSettings,
} from './source-settings.ts';
import type { SourceRef, StoredSource } from './source-store.ts';

/** Credentials as they are stored: they open for this source and this destination only. */
export function sealCredentials(
  vault: Vault,
  { ref, settings }: { ref: SourceRef; settings: SourceSettings },
  credentials: SourceCredentials,
): string {
  return vault.seal(new Secret(JSON.stringify(credentials)), placeOf(ref, settings));
}

/** The credentials of a source; undefined where it has none. @throws Error where they do not open. */
export function openCredentials(vault: Vault, source: StoredSource): SourceCredentials | undefined {
  if (source.sealed === null) return undefined;
  return sourceCredentialsSchema.parse(parseJson(vault.open(source.sealed, placeOf(source, source.settings)).reveal()));
}

function placeOf({ tenantId, id }: SourceRef, settings: SourceSettings): string {
  return `source/${tenantId}/${id}/${destinationOf(settings)}`;
}
