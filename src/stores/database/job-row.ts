import { isJsonObject, numberAt, arrayAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import { ERRORS, type ErrorCode } from '../../spec/errors.ts';
import type { TenantId } from '../../spec/ids.ts';
import type { JobId, JobProgress, JobQueueName, JobRecord, JobState } from '../../spec/job.ts';

/** A job as the database keeps it. */
export interface JobRow {
  id: JobId;
  tenant_id: TenantId;
  queue: JobQueueName;
  kind: string;
  input: string;
  key_id: string;
  priority: number;
  state: JobState;
  attempts: number;
  max_attempts: number;
  lapses: number;
  progress: string;
  result: string | null;
  failure_code: string | null;
  failure_message: string | null;
  created_ms: number;
  started_ms: number | null;
  finished_ms: number | null;
  not_before_ms: number;
  lease_token: string | null;
  lease_until_ms: number | null;
  cancel_requested: number;
}

export function jobOfRow(row: JobRow): JobRecord {
  const result = row.result === null ? undefined : parseJson(row.result);
  return {
    id: row.id,
    tenantId: row.tenant_id,
    queue: row.queue,
    kind: row.kind,
    input: objectOf(row.input),
    keyId: row.key_id,
    priority: row.priority,
    state: row.state,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    progress: progressOf(objectOf(row.progress)),
    result: isJsonObject(result) ? result : null,
    failure: row.failure_code === null ? null : { code: codeOf(row.failure_code), message: row.failure_message ?? '' },
    createdMs: row.created_ms,
    startedMs: row.started_ms,
    finishedMs: row.finished_ms,
    notBeforeMs: row.not_before_ms,
  };
}

function objectOf(text: string): JsonObject {
  const json = parseJson(text);
  return isJsonObject(json) ? json : {};
}

function progressOf(json: JsonObject): JobProgress {
  return {
    total: numberAt(json, 'total') ?? 0,
    done: numberAt(json, 'done') ?? 0,
    failed: numberAt(json, 'failed') ?? 0,
    failures: arrayAt(json, 'failures')
      .filter(isJsonObject)
      .map((each) => ({ id: stringAt(each, 'id') ?? '', reason: stringAt(each, 'reason') ?? '' })),
  };
}

/** A code that this version does not know was written by a later one. */
function codeOf(text: string): ErrorCode {
  return isErrorCode(text) ? text : 'internal';
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
