import type { SekishoError } from '../../spec/errors.ts';
import { upstreamError, type UpstreamRefusal } from '../kit/upstream-error.ts';

/** Translates an HTTP answer that is none (docs.cohere.com/reference/errors): `{ "message": ... }`. */
export function cohereError(refusal: UpstreamRefusal): SekishoError {
  // The prompt or the answer held a word that the vendor does not let pass.
  if (refusal.status === 498) return upstreamError(refusal, { code: 'content_refused' });
  // The vendor gave the call up, or does not know how to answer it.
  if (refusal.status === 499) return upstreamError(refusal, { code: 'upstream_failed' });
  return upstreamError(refusal);
}
