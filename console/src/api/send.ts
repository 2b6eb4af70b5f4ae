import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { Failure } from '../run/run.ts';
import type { Language } from '../words/words.ts';

/** Who asks, and in which language errors shall come back. */
export interface Caller {
  apiKey: string;
  language: Language;
  signal: AbortSignal;
}

/** A failure on its way to the screen. */
export class RequestFailure extends Error {
  readonly failure: Failure;
  readonly status: number | undefined;

  constructor(failure: Failure, status?: number) {
    super(failure.kind);
    this.failure = failure;
    this.status = status;
  }
}

/**
 * Sends a request to this server and returns its response when the status is good; otherwise throws a
 * RequestFailure. An abort is thrown as it is. Without a body it is a GET, with one a POST of JSON.
 */
export async function send(path: string, caller: Caller, body?: object): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${caller.apiKey}`,
        'accept-language': caller.language,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: caller.signal,
      cache: 'no-store',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (caller.signal.aborted) throw error;
    throw new RequestFailure({ kind: 'unreachable' });
  }
  if (response.ok) return response;
  throw new RequestFailure(await failureOf(response), response.status);
}

/** Reads a whole JSON object, or throws a RequestFailure. */
export async function readJson(response: Response): Promise<JsonObject> {
  const json = parseJson(await response.text());
  if (!isJsonObject(json)) throw new RequestFailure({ kind: 'unreadable', ...requestIdOf(response) });
  return json;
}

/** The failure that an error body describes: `{error:{code, message, request_id}}`. */
export function failureFromBody(body: JsonObject, known: { requestId?: string }): Failure {
  const error = objectAt(body, 'error');
  const message = error === undefined ? undefined : stringAt(error, 'message');
  if (error === undefined || message === undefined) return { kind: 'unreadable', ...known };
  const requestId = stringAt(error, 'request_id') ?? known.requestId;
  return {
    kind: 'server',
    code: stringAt(error, 'code') ?? stringAt(error, 'type') ?? 'unknown',
    message,
    ...(requestId === undefined ? {} : { requestId }),
  };
}

export function requestIdOf(response: Response): { requestId?: string } {
  const requestId = response.headers.get('x-sekisho-request-id');
  return requestId === null ? {} : { requestId };
}

async function failureOf(response: Response): Promise<Failure> {
  const body = parseJson(await response.text().catch(() => ''));
  return failureFromBody(isJsonObject(body) ? body : {}, requestIdOf(response));
}
