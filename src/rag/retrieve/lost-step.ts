import { toSekishoError, type ErrorCode, type SekishoError } from '../../spec/errors.ts';

/** Told of a caller who wrote the call himself; here the call is the collection's, and so is what is wrong with it. */
const OF_THE_COLLECTION: ReadonlySet<ErrorCode> = new Set([
  'upstream_rejected',
  'route_not_found',
  'unsupported_parameter',
]);

/**
 * The error of a model that helps to find, where it costs its step and not the answer: an upstream failed or did not
 * take what it was sent, or its route is gone. Everything else (limits, budget, a caller who left) is thrown on.
 */
export function lostStep(thrown: unknown): SekishoError {
  const error = toSekishoError(thrown);
  if (error.fault === 'upstream' || OF_THE_COLLECTION.has(error.code)) return error;
  throw thrown;
}
