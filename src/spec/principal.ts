import type { KeyId, TenantId } from './ids.ts';

/** Who calls. Made by access from a key, or by the process itself for its own work. */
export interface Principal {
  tenantId: TenantId;
  keyId: KeyId;
  name: string;
  /** admin may manage keys and documents of its tenant; member may call and read. */
  role: 'admin' | 'member';
  /** Route names or patterns with a trailing `*`; empty means every route. */
  allowedRoutes: readonly string[];
  limits: KeyLimits;
}

/** What a key may use. Absent means unlimited. */
export interface KeyLimits {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  concurrency?: number;
  /** Money per calendar month (UTC) in micro-dollars. */
  budgetMicros?: number;
}
