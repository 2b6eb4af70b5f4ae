import type { TenantId } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';

/** The process itself, doing what a principal of this tenant began or a tenant's settings ask for. */
export function processPrincipal(tenantId: TenantId): Principal {
  return { tenantId, keyId: 'key_process', name: 'Sekisho', role: 'admin', allowedRoutes: [], limits: {} };
}
