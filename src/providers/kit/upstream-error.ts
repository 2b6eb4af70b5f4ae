import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import { SekishoError, type ErrorCode } from '../../spec/errors.ts';

/** As much of an upstream's body as the log is given. */
const MAX_LOGGED = 2_000;
/** As much of an upstream's own message as the caller is given, where the fault is the caller's. */
const MAX_SHOWN = 500;

const TOO_LONG = /context[ _-](?:length|window)|maximum context|too many (?:input )?tokens|prompt is too long/i;
const REFUSED = /content[ _-](?:filter|policy|management)|safety system|content_policy_violation/i;

/** The error for an answer that is not a 2xx. The body goes to the log only; a rejection keeps its message. */
export function upstreamError(target: string, response: Response, body: string): SekishoError {
  const { status } = response;
  const cause = new Error(`HTTP ${status}: ${body.slice(0, MAX_LOGGED)}`);
  const retryAfterMs = retryAfter(response.headers);
  const options = { values: { target }, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  const code = codeOf(status);
  if (code !== 'upstream_rejected') return new SekishoError(code, options);
  const { message, kind } = described(body);
  if (TOO_LONG.test(`${kind} ${message}`)) return new SekishoError('context_too_long', { cause });
  if (REFUSED.test(`${kind} ${message}`)) return new SekishoError('content_refused', { cause });
  return new SekishoError('upstream_rejected', { values: { problem: message }, cause });
}

function codeOf(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'upstream_credential';
  if (status === 404) return 'upstream_not_found';
  if (status === 429) return 'upstream_rate_limited';
  if (status === 408) return 'upstream_failed';
  if (status >= 400 && status < 500) return 'upstream_rejected';
  // A redirect is not followed: the credential would go wherever it points.
  return status >= 500 ? 'upstream_failed' : 'upstream_broken';
}

/** What an error body says, in the shapes of the OpenAI and Anthropic wires. */
function described(body: string): { message: string; kind: string } {
  const parsed = parseJson(body);
  const json: JsonObject = isJsonObject(parsed) ? parsed : {};
  const error = objectAt(json, 'error') ?? json;
  const message = stringAt(error, 'message') ?? stringAt(json, 'error') ?? stringAt(json, 'detail') ?? 'no reason given';
  const kind = `${stringAt(error, 'code') ?? ''} ${stringAt(error, 'type') ?? ''}`;
  // oxlint-disable-next-line no-control-regex
  return { message: message.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, MAX_SHOWN), kind };
}

/** Retry-After in milliseconds: seconds, an HTTP date, or the OpenAI form in milliseconds. At most a day. */
function retryAfter(headers: Headers): number | undefined {
  const exact = Number(headers.get('retry-after-ms') ?? Number.NaN);
  const stated = headers.get('retry-after');
  const seconds = Number(stated ?? Number.NaN);
  const date = stated === null ? Number.NaN : Date.parse(stated) - Date.now();
  const ms = [exact, seconds * 1000, date].find((each) => Number.isFinite(each) && each >= 0);
  return ms === undefined ? undefined : Math.min(ms, 86_400_000);
}
