import { isJsonObject, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import type { ErrorCode, SekishoError } from '../../spec/errors.ts';
import { errorInAnswer, upstreamError, type UpstreamRefusal } from '../kit/upstream-error.ts';

/** What the names of exceptions mean; what a ValidationException means is told by its message. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  accessdenied: 'upstream_credential',
  expiredtoken: 'upstream_credential',
  incompletesignature: 'upstream_credential',
  invalidclienttokenid: 'upstream_credential',
  invalidsignature: 'upstream_credential',
  missingauthenticationtoken: 'upstream_credential',
  unrecognizedclient: 'upstream_credential',
  resourcenotfound: 'upstream_not_found',
  servicequotaexceeded: 'upstream_rate_limited',
  throttling: 'upstream_rate_limited',
  toomanyrequests: 'upstream_rate_limited',
  modeltimeout: 'upstream_timeout',
  internalserver: 'upstream_failed',
  modelerror: 'upstream_failed',
  modelnotready: 'upstream_failed',
  modelstreamerror: 'upstream_failed',
  serviceunavailable: 'upstream_failed',
  // Our own word for a message whose checksum is wrong.
  damaged: 'upstream_broken',
};
const NO_MODEL =
  /model identifier is invalid|on-demand throughput isn.t supported|doesn.t support counting tokens|model (id|version).{0,100}(not supported|end of its life)/i;

/** Translates an HTTP answer that is none; `x-amzn-errortype` names the exception, perhaps with a URI behind it. */
export function bedrockError(refusal: UpstreamRefusal): SekishoError {
  const body = parseJson(refusal.body);
  const json = isJsonObject(body) ? body : {};
  const name = refusal.headers.get('x-amzn-errortype') ?? stringAt(json, '__type') ?? '';
  return upstreamError(refusal, { code: codeOf(name, messageOf(json)) });
}

/** Translates an exception that came as an event of a stream. */
export function bedrockErrorInStream(target: string, name: string, json: JsonObject): SekishoError {
  const message = messageOf(json);
  const known = codeOf(name, message);
  // What is wrong with a request is told by its message, as over HTTP.
  if (known !== undefined || !/^validation/i.test(name)) return errorInAnswer(target, { type: name, message }, known);
  return upstreamError({
    target,
    status: 400,
    body: JSON.stringify({ message }),
    headers: new Headers(),
    nowMs: 0,
    secrets: [],
  });
}

function codeOf(name: string, message: string): ErrorCode | undefined {
  const [plain = ''] = name.split(':');
  const key = plain
    .replace(/^.*#/, '')
    .replace(/(Exception|Error)$/i, '')
    .toLowerCase();
  return CODES[key] ?? (NO_MODEL.test(message) ? 'upstream_not_found' : undefined);
}

function messageOf(json: JsonObject): string {
  return stringAt(json, 'message') ?? stringAt(json, 'Message') ?? '';
}
