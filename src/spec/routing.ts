/** How a group chooses among its targets. `ordered` takes them as they stand. */
export const STRATEGIES = ['ordered', 'weighted', 'least-busy', 'latency', 'cheapest', 'sticky'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What a sticky group keeps together. `session` is what the header `x-sekisho-session` names. */
export const STICKY_KEYS = ['key', 'user', 'tenant', 'session'] as const;
export type StickyKey = (typeof STICKY_KEYS)[number];

/** Failures on which the next target may be tried. */
export const FALLBACK_REASONS = [
  'unreachable',
  'timeout',
  'rate_limited',
  'server_error',
  'broken_answer',
  'credential',
  'not_found',
  'busy',
  'context_window',
  'content_policy',
  'unsupported',
] as const;
export type FallbackReason = (typeof FALLBACK_REASONS)[number];
