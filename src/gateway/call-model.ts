import type { Clock } from '../lib/clock.ts';
import type { Sleep } from '../lib/sleep.ts';
import type { StreamFrame } from '../ports/provider.ts';
import { SekishoError } from '../spec/errors.ts';
import { noUsage, type Usage } from '../spec/usage.ts';
import type { Admission, Reservation } from './admission.ts';
import { attemptTargets, type FailedAttempt } from './attempt.ts';
import { estimateChat, estimateEmbedding, estimateTokens } from './estimate.ts';
import { meteredFrames, type StreamTally } from './metered-frames.ts';
import type { CallFacts, CallOrigin, ModelCall, ModelGateway } from './model-call.ts';
import type { Plan, ResolvedTarget, RouteBook } from './route-book.ts';
import { endingError, openSettlement, type Settlement, type SettlementDeps } from './settlement.ts';

export interface CallModelDeps extends SettlementDeps {
  routes: RouteBook;
  admission: Admission;
  clock: Clock;
  sleep: Sleep;
  /** Uniform in [0, 1); spreads retries. */
  random: () => number;
  onAttemptFailed: (call: CallOrigin, failed: FailedAttempt) => void;
}

/**
 * The road of every model call, whoever asks: route, admit, attempt, settle. Guards, caches and the fitting
 * of prompts stand between admission and attempt; a call passes them in the order of this page.
 */
export function createModelGateway(deps: CallModelDeps): ModelGateway {
  return {
    routes: (principal) => deps.routes.list(principal),

    chat: async (call) => {
      // 1. Route: a name nobody may use, or that does not exist, must cost nothing.
      const plan = deps.routes.resolve(call.route, call.principal);

      // 2. Admit: limits and budget are taken before any upstream hears of the call, all or nothing.
      const { settlement, reserve } = openBooks(call, call.stream, 'chat');
      await reserve(plan, () => estimateChat(call));

      // 3. Attempt: targets in order; whatever fails before the first byte may be tried elsewhere.
      const { value, target, attempts } = await attempted(plan, call, settlement, async (target) => {
        const upstream = {
          ...callContext(call, target),
          request: call.request,
          ...(call.native && { native: call.native }),
        };
        if (!call.stream) {
          return { kind: 'whole' as const, answer: await settlement.waiting(serving(target, 'chat')(upstream)) };
        }
        const stream = await settlement.waiting(serving(target, 'streamChat')(upstream));
        return { kind: 'stream' as const, stream };
      });
      const facts = factsOf(call, target, attempts, settlement);

      // 4. Settle: a whole answer before it is handed over, a stream before its last frame goes out.
      if (value.kind === 'whole') {
        const costMicros = await settlement.settle({ target, attempts, usage: value.answer.usage });
        return { kind: 'whole', facts: { ...facts, costMicros }, answer: value.answer };
      }
      const firstByteMs = settlement.elapsedMs();
      const frames: AsyncIterable<StreamFrame> = meteredFrames({
        stream: value.stream,
        next: settlement.waiting,
        onEnd: async (tally, leftEarly) => {
          const error = tally.error ?? (leftEarly === undefined ? undefined : new SekishoError('caller_left'));
          const ended = call.signal.aborted ? endingError(undefined, call.signal) : error;
          const usage = tally.usage ?? estimatedUsage(call, tally);
          await settlement.settle({ target, attempts, usage, firstByteMs, ...(ended && { error: ended }) });
        },
      });
      return { kind: 'stream', facts, frames };
    },

    embed: async (call) => {
      const plan = deps.routes.resolve(call.route, call.principal);
      const { settlement, reserve } = openBooks(call, false, 'embedding');
      await reserve(plan, () => estimateEmbedding(call));
      const {
        value: answer,
        target,
        attempts,
      } = await attempted(plan, call, settlement, (target) =>
        settlement.waiting(
          serving(
            target,
            'embed',
          )({
            ...callContext(call, target),
            request: call.request,
            ...(call.native && { native: call.native }),
          }),
        ),
      );
      const costMicros = await settlement.settle({ target, attempts, usage: answer.usage });
      return { facts: { ...factsOf(call, target, attempts, settlement), costMicros }, answer };
    },
  };

  /** The settlement of a call and the way to take its reservation, which settling corrects. */
  function openBooks(call: CallOrigin, streamed: boolean, operation: 'chat' | 'embedding') {
    let reservation: Reservation | undefined;
    const settlement = openSettlement(deps, { ...call, operation, streamed }, () => reservation);
    const reserve = async (plan: Plan, estimate: Parameters<Admission['admit']>[2]): Promise<void> => {
      reservation = await deps.admission.admit(call.principal, plan, estimate);
    };
    return { settlement, reserve };
  }

  /** Attempts that settle as failed when no target answers. */
  async function attempted<T>(
    plan: Plan,
    call: CallOrigin,
    settlement: Settlement,
    attempt: (target: ResolvedTarget) => Promise<T>,
  ) {
    let failures = 0;
    let lastTarget = plan.targets[0];
    try {
      return await attemptTargets({
        plan,
        signal: call.signal,
        sleep: deps.sleep,
        random: deps.random,
        call: (target) => {
          lastTarget = target;
          return attempt(target);
        },
        onFailure: (failed) => {
          failures++;
          deps.onAttemptFailed(call, failed);
        },
      });
    } catch (thrown) {
      const error = endingError(thrown, call.signal);
      if (lastTarget !== undefined) await settlement.settle({ target: lastTarget, attempts: failures, error });
      throw error;
    }
  }
}

/** The verb of a target's endpoint, or a refusal in the caller's words where the endpoint lacks it. */
function serving<V extends 'chat' | 'streamChat' | 'embed'>(target: ResolvedTarget, verb: V) {
  const { endpoint } = target;
  const serve = endpoint[verb];
  if (serve === undefined) {
    const parameters = verb === 'embed' ? 'embeddings' : 'chat';
    throw new SekishoError('unsupported_parameter', { values: { route: target.name, parameters }, param: 'model' });
  }
  return serve as NonNullable<(typeof endpoint)[V]>;
}

function callContext(call: CallOrigin, target: ResolvedTarget) {
  return {
    model: target.model,
    target: target.name,
    signal: call.signal,
    ...(call.forwardHeaders && { forwardHeaders: call.forwardHeaders }),
  };
}

function factsOf(call: CallOrigin, target: ResolvedTarget, attempts: number, settlement: Settlement): CallFacts {
  return {
    requestId: call.requestId,
    route: call.route,
    target: target.name,
    wire: target.endpoint.wire,
    attempts,
    overheadMs: settlement.overheadMs,
  };
}

/** What a stream that broke off is taken to have used: the prompt, and a token for each event passed on. */
function estimatedUsage(call: ModelCall, tally: StreamTally): Usage {
  const inputTokens = call.native === undefined ? estimateChat(call).inputTokens : estimateTokens(call.native.text);
  return { ...noUsage('estimated'), inputTokens, outputTokens: tally.events };
}
