import type { JsonObject } from '../../lib/json.ts';
import type { IndexFilter } from '../../ports/chunk-index.ts';
import type { Principal } from '../../spec/principal.ts';
import { rightsFilter } from '../access.ts';
import { compileFilter } from '../filter/compile-filter.ts';
import { parseFilter } from '../filter/parse-filter.ts';

/**
 * What a question may find, decided before anything is ranked: the rights of whoever asks and his filters, both in
 * force. undefined: everything.
 * @throws SekishoError invalid_request naming what is wrong with the filters; no part of them is passed over.
 */
export function searchFilter(request: { principal: Principal; filters?: JsonObject }): IndexFilter | undefined {
  const rights = rightsFilter(request.principal);
  const filters = request.filters ?? {};
  const asked = Object.keys(filters).length === 0 ? undefined : compileFilter(parseFilter(filters));
  if (rights === undefined) return asked;
  return asked === undefined ? rights : { and: [rights, asked] };
}
