import { DEFAULT_TENANT, type TenantId } from '../../spec/ids.ts';

/** What of this machine and its network sources may reach. */
export interface Reach {
  /** Folders, with everything below. */
  folders: readonly string[];
  /** Whether the operator has named the host, so that its address may be private. */
  isListedHost: (hostname: string) => boolean;
}

/** What the operator has opened is open to the operator's own tenant; others have the public network. */
export function reachOf(reach: Reach, tenantId: TenantId): Reach {
  return tenantId === DEFAULT_TENANT ? reach : { folders: [], isListedHost: () => false };
}
