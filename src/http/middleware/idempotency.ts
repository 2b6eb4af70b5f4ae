import type { Context, MiddlewareHandler } from 'hono';
import { rightsKey } from '../../rag/access.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { HttpEnv } from '../http-context.ts';
import { inTime } from '../read-body.ts';
import type { ClaimOutcome, IdempotencyStore, KeptAnswer } from '../idempotency/idempotency-store.ts';
import { recordBody, type RecordedEnd } from '../idempotency/record-body.ts';

export interface IdempotencyDeps {
  store: IdempotencyStore;
  /** Told of an answer that could not be kept because the store failed; the caller has it all the same. */
  onNotKept?: (error: unknown) => void;
}

/** The routes that call models, where a call made twice is paid twice, and those that hand over work. */
const PATHS: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/messages',
  '/v1/responses',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/rerank',
  '/v2/rerank',
  '/v1/query',
  '/v1/generate',
  '/v1/summarize',
  '/v1/embed',
  '/v1/query_async',
  '/v1/batch_index',
]);

/** Whether a call to this address is answered once for each Idempotency-Key. */
export function isIdempotentPath(path: string): boolean {
  return PATHS.has(path);
}

/** Visible ASCII, quoted or not. */
const KEY = /^[\x21-\x7e]{1,255}$/;
const MAX_BODY_BYTES = 1_048_576;
const RETRY_AFTER_MS = 1_000;
const KEPT_HEADERS = new Set([
  'content-type',
  'content-language',
  'cache-control',
  'x-accel-buffering',
  'x-should-retry',
]);
const OWN_HEADERS = 'x-sekisho-';
/** Whether an answer was given before says itself. */
const REPLAY_HEADER = 'x-sekisho-idempotent-replay';

/**
 * The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07) on calls of models: the first answer to
 * a key is given again for 24 hours. Stands behind `authenticate`. Without the header a call passes untouched.
 * Not kept, so that the call may be made again: 5xx, 429, 402, broken streams and calls whose caller left.
 * @throws SekishoError invalid_request, idempotency_mismatch, idempotency_in_progress, idempotency_not_kept;
 * storage_unavailable, because a call that cannot be claimed might be paid twice.
 */
export function idempotency(deps: IdempotencyDeps): MiddlewareHandler<HttpEnv> {
  const { store, onNotKept = () => undefined } = deps;
  return async (context, next) => {
    const key = context.req.header('idempotency-key');
    if (key === undefined || context.req.method !== 'POST' || !PATHS.has(context.req.path)) return next();
    if (!KEY.test(key)) throw invalidKey();
    const { tenantId, keyId } = context.get('principal');
    const claim = await store.claim({ tenantId, keyId, idempotencyKey: key }, await hashOf(context));
    if (claim.state === 'answered') return replay(claim.answer);
    if (claim.state !== 'claimed') throw refusal(claim);

    const { claimId } = claim;
    const settled = (work: Promise<void>): Promise<void> => work.catch(onNotKept);
    try {
      await next();
    } catch (thrown) {
      await settled(store.release(claimId));
      throw thrown;
    }
    const { res } = context;
    const { status } = res;
    if (!isFinal(status) || res.body === null) return settled(store.release(claimId));
    const headers = keptHeaders(res.headers, context.get('requestId'));
    let body: string | ReadableStream<Uint8Array>;
    if (headers['content-type']?.startsWith('text/event-stream') === true) {
      const onEnd = (how: RecordedEnd): Promise<void> =>
        settled(
          how.end === 'complete' ? store.keep(claimId, { status, headers, body: how.text }) : store.release(claimId),
        );
      body = recordBody(res.body, { maxBytes: MAX_BODY_BYTES, onEnd });
    } else {
      // An answer is kept before it is given.
      body = await res.text();
      const small = Buffer.byteLength(body) <= MAX_BODY_BYTES;
      await settled(store.keep(claimId, { status, headers, body: small ? body : undefined }));
    }
    // Hono merges the headers of an answer that is already set into its successor.
    context.res = undefined;
    context.res = new Response(body, { status, headers: res.headers });
  };
}

/** A key stands for one request: another address, other rights or another body is another request. */
async function hashOf(context: Context<HttpEnv>): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256').update(`${context.req.path}\0`);
  const principal = context.get('principal');
  // What was answered to one end user is not given to another for whom the same key acts.
  if (principal.acting === true) hash.update(`${rightsKey(principal)}\0`);
  // As bytes: a form with files is not text, and is read again by its route.
  return hash.update(await inTime(context, context.req.arrayBuffer())).digest('base64');
}

function isFinal(status: number): boolean {
  return status < 500 && status !== 499 && status !== 429 && status !== 402;
}

/** The id of the first call goes with its answer: the ledger knows it under that one. */
function keptHeaders(headers: Headers, requestId: string): Record<string, string> {
  const kept: Record<string, string> = { 'x-sekisho-request-id': requestId };
  for (const [name, value] of headers) if (KEPT_HEADERS.has(name) || name.startsWith(OWN_HEADERS)) kept[name] = value;
  return kept;
}

function replay({ status, headers, body }: KeptAnswer): Response {
  return new Response(body, { status, headers: { ...headers, [REPLAY_HEADER]: 'true' } });
}

function refusal({ state }: Exclude<ClaimOutcome, { state: 'claimed' | 'answered' }>): SekishoError {
  switch (state) {
    case 'mismatch':
      return new SekishoError('idempotency_mismatch');
    case 'not-kept':
      return new SekishoError('idempotency_not_kept', { values: { limit: MAX_BODY_BYTES } });
    case 'in-progress':
      return new SekishoError('idempotency_in_progress', {
        values: { seconds: RETRY_AFTER_MS / 1_000 },
        retryAfterMs: RETRY_AFTER_MS,
      });
    default:
      return state satisfies never;
  }
}

function invalidKey(): SekishoError {
  const problem = 'the header Idempotency-Key must be 1 to 255 visible ASCII characters';
  return new SekishoError('invalid_request', { values: { problem }, param: 'idempotency-key' });
}
