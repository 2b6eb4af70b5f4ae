import {
  arrayAt,
  isJsonObject,
  objectAt,
  parseJson,
  stringAt,
  type JsonObject,
  type JsonValue,
} from '../../lib/json.ts';
import type { ErrorCode, SekishoError } from '../../spec/errors.ts';
import { errorInAnswer, upstreamError, type KnownRefusal, type UpstreamRefusal } from '../kit/upstream-error.ts';

/** What the wire's own status words mean; the others are told by the HTTP status and the message. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  RESOURCE_EXHAUSTED: 'upstream_rate_limited',
  UNAUTHENTICATED: 'upstream_credential',
  PERMISSION_DENIED: 'upstream_credential',
  // The project lacks billing, or the place is not served: nothing that the caller could mend.
  FAILED_PRECONDITION: 'upstream_credential',
  NOT_FOUND: 'upstream_not_found',
  DEADLINE_EXCEEDED: 'upstream_timeout',
  UNAVAILABLE: 'upstream_failed',
  INTERNAL: 'upstream_failed',
  ABORTED: 'upstream_failed',
  CANCELLED: 'upstream_failed',
  UNKNOWN: 'upstream_failed',
};
const MAX_PAUSE_MS = 24 * 60 * 60 * 1_000;

/** Translates an HTTP answer that is none: google.rpc.Status in JSON (google.aip.dev/193). */
export function geminiError(refusal: UpstreamRefusal): SekishoError {
  const json = parseJson(refusal.body);
  // A stream that fails before it begins may answer with a list of one error.
  const body = Array.isArray(json) ? json[0] : json;
  const error = isJsonObject(body) ? objectAt(body, 'error') : undefined;
  return upstreamError(refusal, error === undefined ? {} : knownOf(error));
}

/** Translates an error object that came with status 200. */
export function geminiErrorInAnswer(target: string, error: JsonValue): SekishoError {
  return errorInAnswer(target, error, isJsonObject(error) ? knownOf(error).code : undefined);
}

function knownOf(error: JsonObject): KnownRefusal {
  const details = arrayAt(error, 'details').filter(isJsonObject);
  const reasons = details.map((detail) => stringAt(detail, 'reason') ?? '');
  // A wrong key comes as a 400 that blames the argument.
  const code = reasons.some((reason) => reason.startsWith('API_KEY_')) ? 'upstream_credential' : undefined;
  const delay = details.map((detail) => stringAt(detail, 'retryDelay')).find((value) => value !== undefined);
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(delay ?? '')?.[1];
  return {
    code: code ?? CODES[stringAt(error, 'status') ?? ''],
    ...(seconds !== undefined && { pauseMs: Math.min(MAX_PAUSE_MS, Math.ceil(Number(seconds) * 1_000)) }),
  };
}
