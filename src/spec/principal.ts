import type { KeyId, TenantId } from './ids.ts';
import type { Limits } from './limits.ts';

/** Who calls. Made by access from a key, or by the process itself for its own work. */
export interface Principal {
  tenantId: TenantId;
  keyId: KeyId;
  name: string;
  /** admin may manage keys and documents of its tenant; member may call and read. */
  role: 'admin' | 'member';
  /** Route names or patterns with a trailing `*`; empty means every route. */
  allowedRoutes: readonly string[];
  limits: Limits;
  /** The team within the tenant that the key belongs to. */
  team?: string;
  /** `name=value` or plain words that routing conditions, reports and cache invalidation can name. */
  tags?: readonly string[];
  /** What documents can be opened to, beside the role. */
  groups?: readonly string[];
  attributes?: Readonly<Record<string, readonly string[]>>;
  /** The rights are those of somebody for whom the key acts. */
  acting?: true;
}
