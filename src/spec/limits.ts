import type { Micros } from './money.ts';

/** What a limit counts. */
export type LimitMeasure = 'requests' | 'tokens' | 'concurrency' | 'cost';
export type LimitWindow = 'second' | 'minute' | 'hour' | 'day' | 'month';

/** Whose use is limited. A `user` is the end user that a caller names in its request. */
export const LIMIT_SCOPES = ['tenant', 'team', 'key', 'user', 'route', 'target'] as const;
export type LimitScope = (typeof LIMIT_SCOPES)[number];

/** What one subject may use. Absent means unlimited. */
export interface Limits {
  requestsPerSecond?: number;
  requestsPerMinute?: number;
  requestsPerHour?: number;
  requestsPerDay?: number;
  tokensPerSecond?: number;
  tokensPerMinute?: number;
  tokensPerHour?: number;
  tokensPerDay?: number;
  /** Calls at once. */
  concurrency?: number;
  /** Money per calendar day (UTC) in micro-dollars. */
  dailyBudgetMicros?: Micros;
  /** Money per calendar month (UTC) in micro-dollars. */
  budgetMicros?: Micros;
  /** What would be refused is counted and reported, and passes. */
  shadow?: boolean;
}

/** The limits of subjects that are no keys (a key carries its own), as they are in force now. */
export interface LimitBook {
  /** The limits of the subject itself, else those given for every one of its scope (`*`). */
  limitsOf(scope: LimitScope, id: string): Limits | undefined;
}
