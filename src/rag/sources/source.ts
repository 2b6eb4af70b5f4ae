import type { DocumentAccess } from '../../spec/document-access.ts';
import type { CollectionName, DocumentId, KeyId, TenantId } from '../../spec/ids.ts';
import type { SourceSettings } from './source-settings.ts';

export type SourceId = `src_${string}`;
export type SourceRunId = `srun_${string}`;

/**
 * What becomes of documents whose origin is gone. none: they stay. incremental: what the source tells to be gone
 * goes, also where the rest could not be listed. full: after a complete listing, whatever is not in it goes.
 */
export const REMOVAL_POLICIES = ['none', 'incremental', 'full'] as const;
export type RemovalPolicy = (typeof REMOVAL_POLICIES)[number];

/** Where documents of a collection come from, and when it is looked at again. */
export interface Source {
  tenantId: TenantId;
  id: SourceId;
  name: string;
  collection: CollectionName;
  settings: SourceSettings;
  hasCredentials: boolean;
  /** Who may find its documents; null: what each document itself says. */
  access: DocumentAccess | null;
  /** A cron expression of five fields; null: runs are asked for. */
  schedule: string | null;
  /** The IANA name of the zone in which the schedule is read. */
  timeZone: string;
  removal: RemovalPolicy;
  state: 'active' | 'paused' | 'deleting';
  /** Why it paused itself. */
  pauseReason: string | null;
  /** A run has it now. */
  running: boolean;
  createdBy: KeyId;
  createdMs: number;
  updatedMs: number;
  nextRunMs: number | null;
}

/** What a run has done. found = changed + unchanged + failed, where it came to its end. */
export interface SourceRunCounts {
  found: number;
  changed: number;
  unchanged: number;
  removed: number;
  failed: number;
  /** The first failures with their reasons; at most 100. */
  failures: { key: string; reason: string }[];
  /** Whether the listing came to its end, and why it did not. */
  listed: { complete: boolean; reason: string | null };
  /** After the run: documents that should be in the collection and its index; the first that are not, at most 100. */
  check: { expected: number; missing: DocumentId[] } | null;
}

/** interrupted: its process died or lost the source to another; what it did stands, and the next run goes on. */
export type SourceRunState = 'running' | 'done' | 'failed' | 'interrupted';

export interface SourceRun extends SourceRunCounts {
  id: SourceRunId;
  sourceId: SourceId;
  state: SourceRunState;
  /** Why it failed as a whole. */
  reason: string | null;
  startedMs: number;
  endedMs: number | null;
}

/** Whether everything that the source has is in the collection. */
export function isComplete(run: SourceRunCounts): boolean {
  return run.listed.complete && run.failed === 0 && run.check !== null && run.check.missing.length === 0;
}
