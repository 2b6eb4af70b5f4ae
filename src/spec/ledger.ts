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
  /** The team of the key at the time of the call. */
  team?: string;
  endUser?: string;
  /** Tags of key and request, so that reports can be made of them later. */
  tags?: readonly string[];
  atMs: number;
  /** `count`: tokens were counted and nothing was made; it is free. */
  operation: 'chat' | 'embedding' | 'rerank' | 'count';
  route: string;
  target: string;
  wire: string;
  upstreamModel: string;
  usage: Usage;
  /** null where the model has no price: unknown is not free. */
  costMicros: Micros | null;
  outcome: 'ok' | 'error' | 'aborted';
  errorCode?: string;
  /** Whether the answer came from our cache; absent where the call did not ask for one. */
  cache?: 'hit' | 'miss';
  attempts: number;
  streamed: boolean;
  durationMs: number;
  firstByteMs?: number;
  /** The trace that shows the call's steps; absent where it was not traced. */
  traceId?: string;
}
