import { createHmac } from 'node:crypto';
import type { Secret } from '../../../lib/secret.ts';
import type { TenantId } from '../../../spec/ids.ts';

/**
 * The mark in the instructions of each tenant's answers. It is the same in every process and for every question, so that
 * equal prompts stay equal, and nobody who writes a document can know it.
 */
export function createCanaries(masterKey: Secret): (tenantId: TenantId) => string {
  return (tenantId) => {
    const digest = createHmac('sha256', masterKey.reveal()).update(`answer canary ${tenantId}`).digest('hex');
    return `mk${digest.slice(0, 18)}`;
  };
}
