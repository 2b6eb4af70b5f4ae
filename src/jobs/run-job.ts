import type { Clock } from '../lib/clock.ts';
import type { LeasedJob } from '../ports/job-queue.ts';
import type { GivenUp, JobHandler } from '../ports/jobs.ts';
import { SekishoError, toSekishoError } from '../spec/errors.ts';
import { newId, type TenantId } from '../spec/ids.ts';
import type { JobProgress } from '../spec/job.ts';
import type { Principal } from '../spec/principal.ts';
import type { JobEvents } from './job-events.ts';
import type { JobLease } from './job-lease.ts';
import { retryDelayMs } from './retry-delay.ts';

export interface RunJobDeps {
  clock: Clock;
  random: () => number;
  /** The rights that a key has now. @throws SekishoError invalid_key. */
  principalOf: (tenantId: TenantId, keyId: string) => Promise<Principal>;
  handlerOf: (kind: string) => JobHandler | undefined;
  events: JobEvents;
}

const MAX_RESULT_BYTES = 1_000_000;

/**
 * One try of a job, from its lease to its end. What was done is done, whoever wanted it stopped meanwhile; a try that
 * failed is repeated where its error may pass and tries are left; everything else fails the job for good. Never throws.
 */
export function createRunJob(deps: RunJobDeps): (leased: LeasedJob, lease: JobLease) => Promise<void> {
  const { clock, events } = deps;

  return async (leased, lease) => {
    const { job } = leased;
    const handler = deps.handlerOf(job.kind);
    const durationMs = (): number => clock.nowMs() - (job.startedMs ?? clock.nowMs());
    const givenUp = async (end: GivenUp): Promise<JobProgress | undefined> => {
      const told = handler?.onGivenUp?.(job, end).catch((error: unknown) => {
        events.storeDown({ store: 'jobs', error });
        return undefined;
      });
      return (await told) ?? lease.progress();
    };

    async function fail(error: SekishoError): Promise<void> {
      const failure = { code: error.code, message: error.message };
      if (error.retryable && job.attempts < job.maxAttempts) {
        const delayMs = retryDelayMs(job.attempts, deps.random, error.retryAfterMs);
        const next = { retryAtMs: clock.nowMs() + delayMs };
        if (await lease.end(() => leased.fail({ failure, next, ...known(lease.progress()) }))) {
          events.jobRetried(job, { error, delayMs });
        }
        return;
      }
      const progress = await givenUp({ state: 'failed', reason: error.message });
      if (await lease.end(() => leased.fail({ failure, next: 'give up', ...known(progress) }))) {
        events.jobEnded(job, { state: 'failed', durationMs: durationMs(), error });
      }
    }

    try {
      if (handler === undefined) throw unknownKind(job.kind);
      const principal = await deps.principalOf(job.tenantId, job.keyId);
      const result = await handler.run({
        job,
        principal,
        requestId: newId('req', clock.nowMs()),
        signal: lease.signal,
        isLastTry: job.attempts >= job.maxAttempts,
        report: lease.report,
      });
      if (Buffer.byteLength(JSON.stringify(result)) > MAX_RESULT_BYTES) throw tooLarge();
      if (await lease.end(() => leased.done(result, lease.progress()))) {
        events.jobEnded(job, { state: 'done', durationMs: durationMs() });
      }
    } catch (thrown) {
      const reason = lease.reason();
      switch (reason) {
        case 'lost':
          return;
        case 'stopping':
          await lease.end(() => leased.release());
          return;
        case 'cancelled': {
          const progress = await givenUp({ state: 'cancelled' });
          if (await lease.end(() => leased.cancelled(progress))) {
            events.jobEnded(job, { state: 'cancelled', durationMs: durationMs() });
          }
          return;
        }
        case undefined:
          return await fail(toSekishoError(thrown));
        default:
          reason satisfies never;
      }
    } finally {
      lease.close();
    }
  };
}

function known(progress: JobProgress | undefined): { progress?: JobProgress } {
  return progress === undefined ? {} : { progress };
}

function unknownKind(kind: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `nobody here does jobs of the kind "${kind}"` } });
}

function tooLarge(): SekishoError {
  return new SekishoError('invalid_request', {
    values: { problem: `the result is larger than ${MAX_RESULT_BYTES} bytes` },
  });
}
