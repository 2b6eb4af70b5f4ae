import { actAs } from '../access/act-as.ts';
import { parseJson } from '../lib/json.ts';
import { SekishoError } from '../spec/errors.ts';
import type { Principal } from '../spec/principal.ts';
import { plainText } from './call-headers.ts';
import { actingAsSchema } from './contract/keys.ts';
import type { HttpContext } from './http-context.ts';
import { judge } from './read-body.ts';

const HEADER = 'x-sekisho-as';
const MAX_LENGTH = 16_384;

/**
 * The caller, or whoever it acts for by the header `x-sekisho-as`: JSON with groups and attributes, percent-encoded
 * where it has letters outside ASCII. A header that cannot be understood is refused and never passed over.
 * @throws SekishoError invalid_request; forbidden where the caller lacks what is named.
 */
export function actingByHeader(context: HttpContext, principal: Principal): Principal {
  const header = context.req.header(HEADER);
  if (header === undefined) return principal;
  if (header.length > MAX_LENGTH) throw wrong(`longer than ${MAX_LENGTH} characters`);
  const json = parseJson(plainText(header, HEADER));
  if (json === undefined) throw wrong('not JSON');
  const judged = actingAsSchema.safeParse(json);
  if (!judged.success) throw wrong(judged.error.issues[0]?.message ?? 'not valid');
  return actAs(principal, judged.data);
}

/** The same by the field `as` of a body, within what the header has left. */
export function actingByBody(principal: Principal, as: unknown): Principal {
  return as === undefined ? principal : actAs(principal, judge(actingAsSchema, as));
}

function wrong(problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${HEADER}: ${problem}` }, param: HEADER });
}
