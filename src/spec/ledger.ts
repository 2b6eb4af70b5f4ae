import type { KeyId, LedgerId, RequestId, TenantId } from './ids.ts';
import type { Micros } from './money.ts';
import type { Usage } from './usage.ts';

/** One settled call. Append-only: what is written once is never changed. */
export interface LedgerEntry {
  id: LedgerId;
  /** The request that the call belongs to; an answer from documents makes several calls. */
  requestId: RequestId;
  tenantId: TenantId;
  keyId: KeyId;
  endUser?: string;
  atMs: number;
  operation: 'chat' | 'embedding' | 'rerank';
  route: string;
  target: string;
  wire: string;
  upstreamModel: string;
  usage: Usage;
  /** null where the model has no price: unknown is not free. */
  costMicros: Micros | null;
  outcome: 'ok' | 'error' | 'aborted';
  errorCode?: string;
  attempts: number;
  streamed: boolean;
  durationMs: number;
  firstByteMs?: number;
}
