import { isJsonObject, parseJson, stringAt } from '../../lib/json.ts';
import type { SekishoError } from '../../spec/errors.ts';
import { upstreamError, type UpstreamRefusal } from '../kit/upstream-error.ts';

const NO_MODEL = /unknown model|no available versions|model .{0,200}(is )?not (found|ready)|failed to poll/i;

/** Translates an HTTP answer that is none: `{ "error": ... }`; Triton says 400 where it has no such model. */
export function kserveError(refusal: UpstreamRefusal): SekishoError {
  const json = parseJson(refusal.body);
  const said = isJsonObject(json) ? (stringAt(json, 'error') ?? '') : '';
  const lacksModel = (refusal.status === 400 || refusal.status === 503) && NO_MODEL.test(said);
  return upstreamError(refusal, lacksModel ? { code: 'upstream_not_found' } : {});
}
