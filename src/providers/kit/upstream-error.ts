import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../../lib/json.ts';
import { SekishoError, type ErrorCode } from '../../spec/errors.ts';
import { retryAfterMs } from './retry-after.ts';

/** How much of an upstream's error body goes to the log, in UTF-16 units. */
const MAX_CAUSE = 4_000;
/** How much of an upstream's own words a caller is shown. */
const MAX_PROBLEM = 500;

const TOO_LONG =
  /context_length_exceeded|maximum context length|context (window|length|size)|prompt is too long|input is too long|too many (input )?tokens|exceeds? the (model'?s )?(maximum|limit) .*tokens|reduce the length of/i;
const REFUSED =
  /content_filter|content_policy|ResponsibleAIPolicyViolation|content management policy|content policy|usage polic(y|ies)|safety system|flagged (as|by|for)/i;
const NO_MODEL =
  /model_not_found|invalid model|not a valid model|model .{0,200}(does not exist|not found|is not available)/i;
const NO_QUOTA = /insufficient_quota|exceeded your current quota|credit balance is too low/i;
/** An exhausted quota does not come back with the next second. */
const QUOTA_PAUSE_MS = 60_000;

/** What an upstream said in place of an answer. */
export interface UpstreamRefusal {
  target: string;
  status: number;
  body: string;
  headers: Headers;
  nowMs: number;
  /** Values that no caller may see, whatever the upstream echoes. */
  secrets: readonly string[];
}

/** What a wire's own words say about an error, where they say more than the status. */
export interface KnownRefusal {
  code?: ErrorCode | undefined;
  /** How long the upstream asks to be left alone, where it says so in the body. */
  pauseMs?: number | undefined;
}

/** Translates an HTTP status and body that are no answer. The body goes to the cause, bounded, never to the caller. */
export function upstreamError(refusal: UpstreamRefusal, known: KnownRefusal = {}): SekishoError {
  const { target, status, headers, nowMs } = refusal;
  const json = parseJson(refusal.body);
  const said = isJsonObject(json) ? wordsOf(json) : { message: '', kind: '' };
  const words = `${said.kind} ${said.message}`;
  const quota = (status === 429 || status === 400) && NO_QUOTA.test(words);
  const code = known.code ?? (quota ? 'upstream_rate_limited' : codeOf(status, words));
  const pause = known.pauseMs ?? retryAfterMs(headers, nowMs) ?? (quota ? QUOTA_PAUSE_MS : undefined);
  const retriable = code === 'upstream_rate_limited' || code === 'upstream_failed';
  return new SekishoError(code, {
    values: valuesOf(code, target, status, said.message, refusal.secrets),
    cause: new Error(`HTTP ${status}: ${withoutSecrets(refusal.body, refusal.secrets).slice(0, MAX_CAUSE)}`),
    ...(retriable && pause !== undefined && { retryAfterMs: pause }),
  });
}

/**
 * Translates an error object that came with status 200: in a stream or in place of an answer. Its kind
 * decides; what is not understood is a failure of the upstream. Its words go to the cause only.
 */
export function errorInAnswer(target: string, error: JsonValue, known?: ErrorCode): SekishoError {
  const { message, kind } = wordsOf({ error });
  const cause = new Error(`error in the answer: ${JSON.stringify(error).slice(0, MAX_CAUSE)}`);
  const code = known ?? kindCode(`${kind} ${message}`);
  return new SekishoError(code, { values: valuesOf(code, target, 200, message, []), cause });
}

function valuesOf(
  code: ErrorCode,
  target: string,
  status: number,
  message: string,
  secrets: readonly string[],
): Record<string, string> {
  if (code === 'upstream_rejected') return { problem: showable(message, secrets) || `HTTP ${status}` };
  return code === 'upstream_timeout' ? { target, phase: 'model' } : { target };
}

function codeOf(status: number, words: string): ErrorCode {
  if (status === 401 || status === 402 || status === 403) return 'upstream_credential';
  // A redirect is not followed: it would carry the credential to wherever the upstream points.
  if (status === 404 || (status >= 300 && status < 400)) return 'upstream_not_found';
  if (status === 429) return 'upstream_rate_limited';
  if (status === 408 || status >= 500) return 'upstream_failed';
  if (TOO_LONG.test(words)) return 'context_too_long';
  if (REFUSED.test(words)) return 'content_refused';
  if (NO_MODEL.test(words)) return 'upstream_not_found';
  return 'upstream_rejected';
}

function kindCode(words: string): ErrorCode {
  if (/rate_limit|\b429\b/i.test(words)) return 'upstream_rate_limited';
  if (/authentication|permission|\b40[13]\b/i.test(words)) return 'upstream_credential';
  if (TOO_LONG.test(words)) return 'context_too_long';
  if (REFUSED.test(words)) return 'content_refused';
  return /not_found/i.test(words) ? 'upstream_not_found' : 'upstream_failed';
}

/** The upstream's own words, wherever the many dialects put them. */
function wordsOf(json: JsonObject): { message: string; kind: string } {
  const error = json['error'];
  if (typeof error === 'string') return { message: error, kind: '' };
  const inner = isJsonObject(error) ? error : json;
  const message = textOf(inner['message']) || textOf(inner['detail']) || textOf(json['detail']);
  const kinds = [inner['type'], inner['code'], isJsonObject(inner['innererror']) ? inner['innererror']['code'] : ''];
  return { message, kind: kinds.map(textOf).join(' ') };
}

function textOf(value: JsonValue | undefined): string {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  return JSON.stringify(value);
}

function showable(message: string, secrets: readonly string[]): string {
  return withoutSecrets(message.slice(0, MAX_CAUSE), secrets)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, MAX_PROBLEM);
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => (secret === '' ? rest : rest.replaceAll(secret, '[secret]')), text);
}
