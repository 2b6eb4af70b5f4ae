import type { JsonObject } from '../lib/json.ts';
import type { RequestId, TenantId } from '../spec/ids.ts';
import type { JobId, JobProgress, JobQueueName, JobRecord } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';

/** What is to be done in the background. */
export interface Work {
  tenantId: TenantId;
  /** With whose rights it is done; `key_process` for the process itself. */
  keyId: string;
  queue: JobQueueName;
  /** Which handler does it. */
  kind: string;
  /** What the handler is given: at most 1 MB of JSON; larger things are stored elsewhere and named here. */
  input: JsonObject;
  /** How many pieces it has, where that is known before it begins. */
  total?: number;
  /** 0 (last) to 9 (first); 5 where none is given. */
  priority?: number;
  /** Tries in all; 3 where none is given. */
  maxAttempts?: number;
  /** An id that was made before, for work whose parts are stored under it first. */
  id?: JobId;
}

/** One try of a job, as its handler sees it. */
export interface JobRun {
  job: JobRecord;
  /** Whose rights the job has now. */
  principal: Principal;
  requestId: RequestId;
  /** Aborted where the job was cancelled, its lease is lost or the process stops; the handler ends then, as it likes. */
  signal: AbortSignal;
  /** True for the last try: what fails now is failed for good. */
  isLastTry: boolean;
  /** Tells how far it is. Cheap; may be called for every piece. */
  report(progress: JobProgress): void;
}

/** How a job ends whose work is not done. */
export type GivenUp = { state: 'cancelled' } | { state: 'failed'; reason: string };

/** Does the jobs of one kind. A job may be begun again at any point after a crash: what is done twice must be as once. */
export interface JobHandler {
  /**
   * @returns the result, at most 1 MB of JSON.
   * @throws SekishoError; retryable ones are tried again, others fail the job at once.
   */
  run(run: JobRun): Promise<JsonObject>;
  /**
   * The job ends without its work being done: cancelled, or failed for good. Told before its state says so, more than
   * once where a crash comes between, and not at all where nobody was there to tell: then `tidy` finds it.
   * @returns how far it came, where that is known better than by the last report.
   */
  onGivenUp?(job: JobRecord, end: GivenUp): Promise<JobProgress | undefined>;
  /** Called now and then, for what a crash left behind. */
  tidy?(): Promise<void>;
}

/** Background work: submitted here, done by whichever process has a free worker and a handler of the kind. */
export interface Jobs {
  /**
   * Accepts work: from here on it survives the death of the process.
   * @throws SekishoError rate_limited where too many jobs of the tenant have not ended; storage_unavailable.
   */
  submit(work: Work): Promise<JobRecord>;
  /** Says who does the jobs of a kind; once per kind, before the workers start. */
  handle(kind: string, handler: JobHandler): void;
}
