import type { ErrorCode } from '../../spec/errors.ts';
import type { FallbackReason } from '../../spec/routing.ts';

const REASONS: Partial<Record<ErrorCode, FallbackReason>> = {
  upstream_unreachable: 'unreachable',
  upstream_timeout: 'timeout',
  upstream_rate_limited: 'rate_limited',
  upstream_failed: 'server_error',
  upstream_broken: 'broken_answer',
  upstream_credential: 'credential',
  upstream_not_found: 'not_found',
  target_busy: 'busy',
  // Limits of the target itself; those of the caller are judged before any attempt.
  rate_limited: 'busy',
  budget_exhausted: 'busy',
  context_too_long: 'context_window',
  content_refused: 'content_policy',
  unsupported_parameter: 'unsupported',
};

/** Why another target may do better; undefined where none would. */
export function fallbackReason(code: ErrorCode): FallbackReason | undefined {
  return REASONS[code];
}
