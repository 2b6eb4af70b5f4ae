import { arrayAt, isJsonObject, numberAt, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import type { NewJob } from '../../ports/job-queue.ts';
import { ERRORS, type ErrorCode } from '../../spec/errors.ts';
import type { TenantId } from '../../spec/ids.ts';
import {
  NO_PROGRESS,
  type JobId,
  type JobProgress,
  type JobQueueName,
  type JobRecord,
  type JobState,
} from '../../spec/job.ts';

export const JOB_QUEUES: readonly JobQueueName[] = ['indexing', 'embedding', 'query'];
export const JOB_STATES: readonly JobState[] = ['waiting', 'active', 'done', 'failed', 'cancelled'];

/** What a job is, as fields and values of its hash. */
export function hashOfJob(job: NewJob): string[] {
  return Object.entries({
    tenant: job.tenantId,
    queue: job.queue,
    kind: job.kind,
    key: job.keyId,
    input: JSON.stringify(job.input),
    priority: String(job.priority),
    max_attempts: String(job.maxAttempts),
    progress: JSON.stringify({ ...NO_PROGRESS, total: job.total ?? 0 }),
  }).flat();
}

/** The job of a hash; undefined where it is none. */
export function jobOfHash(id: JobId, hash: Readonly<Record<string, string>>): JobRecord | undefined {
  const queue = JOB_QUEUES.find((name) => name === hash['queue']);
  const state = JOB_STATES.find((name) => name === hash['state']);
  const { tenant } = hash;
  if (queue === undefined || state === undefined || !isTenantId(tenant)) return undefined;
  const failure = objectOf(hash['failure']);
  return {
    id,
    tenantId: tenant,
    queue,
    kind: hash['kind'] ?? '',
    input: objectOf(hash['input']) ?? {},
    keyId: hash['key'] ?? '',
    priority: Number(hash['priority'] ?? 0),
    state,
    attempts: Number(hash['attempts'] ?? 0),
    maxAttempts: Number(hash['max_attempts'] ?? 1),
    progress: progressOf(objectOf(hash['progress']) ?? {}),
    result: objectOf(hash['result']) ?? null,
    failure:
      failure === undefined ? null : { code: codeOf(failure['code']), message: stringAt(failure, 'message') ?? '' },
    createdMs: Number(hash['created'] ?? 0),
    startedMs: timeOf(hash['started']),
    finishedMs: timeOf(hash['finished']),
    notBeforeMs: Number(hash['not_before'] ?? 0),
  };
}

/** The hash of a flat reply of HGETALL. */
export function hashOfReply(reply: unknown): Record<string, string> | undefined {
  if (!Array.isArray(reply) || reply.length === 0) return undefined;
  const hash: Record<string, string> = {};
  for (let at = 0; at + 1 < reply.length; at += 2) hash[String(reply[at])] = String(reply[at + 1]);
  return hash;
}

function objectOf(text: string | undefined): JsonObject | undefined {
  const json = text === undefined ? undefined : parseJson(text);
  return isJsonObject(json) ? json : undefined;
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

function timeOf(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

function isTenantId(text: string | undefined): text is TenantId {
  return text?.startsWith('ten_') === true;
}

/** A code that this version does not know was written by a later one. */
function codeOf(code: unknown): ErrorCode {
  return typeof code === 'string' && isErrorCode(code) ? code : 'internal';
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}
