import type { Clock } from '../../lib/clock.ts';
import { systemSleep, type Sleep } from '../../lib/sleep.ts';
import type { EmbeddingAnswer, EmbeddingCall, Provider } from '../../ports/provider.ts';
import { SekishoError, toSekishoError } from '../../spec/errors.ts';
import { estimateTokens } from '../estimate.ts';
import type { ResolvedTarget } from '../routing/plan.ts';
import { mergeCalls, mergeKey, shareAnswer } from './merge-calls.ts';

export interface EmbedBatcherOptions {
  /** How long a call may wait for others while its target is busy with the like. */
  waitMs: number;
  /** Inputs of one upstream call; 1 turns batching off. */
  maxInputs: number;
  /** Tokens of one upstream call, by estimate. Default 100,000: upstreams refuse some multiple of that. */
  maxTokens?: number;
  clock: Clock;
  sleep?: Sleep;
  /** Asks the target. @throws SekishoError */
  send: (target: ResolvedTarget, call: EmbeddingCall) => Promise<EmbeddingAnswer>;
  /** Told of each upstream call that several callers share. */
  onBatch?: (batch: { target: string; calls: number; inputs: number; waitedMs: number }) => void;
}

export interface EmbedBatcher {
  /**
   * Embeds together with calls that ask the same target for the like at the same time. Each caller gets its own
   * vectors, its share of the usage, its own error. A caller that leaves is refused at once and changes nothing
   * for the others; when all have left, the upstream is left.
   */
  embed(target: ResolvedTarget, call: EmbeddingCall): Promise<EmbeddingAnswer>;
}

const DEFAULT_MAX_TOKENS = 100_000;

interface Waiter {
  target: ResolvedTarget;
  call: EmbeddingCall;
  tokens: number;
  sinceMs: number;
  /** Ends the wait; only the first end counts. */
  answer: (answer: EmbeddingAnswer) => void;
  refuse: (error: unknown) => void;
}

/** Calls that may become one. */
interface Group {
  /** Upstream calls under way. */
  underWay: number;
  waiting: Set<Waiter>;
  inputs: number;
  tokens: number;
  /** Ends the wait for others; there while someone waits. */
  timer?: AbortController;
}

/**
 * Concurrent small calls to one target become one upstream call. A call goes at once while nothing of its kind
 * is under way; otherwise it waits, at most `waitMs`, until the batch is full or the target is free again.
 */
export function createEmbedBatcher(options: EmbedBatcherOptions): EmbedBatcher {
  const { waitMs, maxInputs, maxTokens = DEFAULT_MAX_TOKENS, clock, sleep = systemSleep, send } = options;
  /** By endpoint, so that two credentials never meet in one call. */
  const groups = new WeakMap<Provider, Map<string, Group>>();

  function groupOf({ endpoint }: ResolvedTarget, key: string): Group {
    let ofEndpoint = groups.get(endpoint);
    if (ofEndpoint === undefined) groups.set(endpoint, (ofEndpoint = new Map()));
    let group = ofEndpoint.get(key);
    if (group === undefined) ofEndpoint.set(key, (group = { underWay: 0, waiting: new Set(), inputs: 0, tokens: 0 }));
    return group;
  }

  /** Does upstream work of a group; whoever waits goes when the last of it is done. */
  async function busy<V>(target: ResolvedTarget, key: string, work: () => Promise<V>): Promise<V> {
    const group = groupOf(target, key);
    group.underWay++;
    try {
      return await work();
    } finally {
      group.underWay--;
      if (group.underWay === 0) {
        if (group.waiting.size > 0) flush(group, key);
        else groups.get(target.endpoint)?.delete(key);
      }
    }
  }

  function flush(group: Group, key: string): void {
    const batch = [...group.waiting];
    group.timer?.abort();
    delete group.timer;
    group.waiting.clear();
    group.inputs = 0;
    group.tokens = 0;
    const [first] = batch;
    if (first === undefined) return;
    if (batch.length > 1) {
      options.onBatch?.({
        target: first.target.name,
        calls: batch.length,
        inputs: batch.reduce((sum, { call }) => sum + call.request.input.length, 0),
        waitedMs: clock.monotonicMs() - first.sinceMs,
      });
    }
    void busy(first.target, key, () => sendTogether(first.target, batch));
  }

  /** Never rejects: every waiter is told. What the upstream refuses for one of them is asked again in halves. */
  async function sendTogether(target: ResolvedTarget, batch: readonly Waiter[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    try {
      if (batch.length === 1) return first.answer(await send(target, first.call));
      const merged = mergeCalls(batch.map(({ call }) => call));
      const answer = await send(target, merged);
      const shares = shareAnswer(
        answer,
        batch.map(({ call, tokens }) => ({ inputs: call.request.input.length, tokens })),
        target.name,
      );
      batch.forEach((waiter, index) => {
        const share = shares[index];
        if (share !== undefined) waiter.answer(share);
      });
    } catch (thrown) {
      if (batch.length === 1 || !mayBeOneOfThem(thrown)) {
        for (const waiter of batch) waiter.refuse(thrown);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      const stays = ({ call }: Waiter): boolean => !call.signal.aborted;
      await Promise.all([
        sendTogether(target, batch.slice(0, half).filter(stays)),
        sendTogether(target, batch.slice(half).filter(stays)),
      ]);
    }
  }

  function wait(group: Group, key: string, { target, call }: { target: ResolvedTarget; call: EmbeddingCall }) {
    return new Promise<EmbeddingAnswer>((resolve, reject) => {
      const stop = (): void => call.signal.removeEventListener('abort', leave);
      const waiter: Waiter = {
        target,
        call,
        tokens: tokensOf(call),
        sinceMs: clock.monotonicMs(),
        answer: (answer) => {
          stop();
          resolve(answer);
        },
        refuse: (error) => {
          stop();
          reject(error instanceof Error ? error : toSekishoError(error));
        },
      };
      const leave = (): void => {
        if (group.waiting.delete(waiter)) {
          group.inputs -= call.request.input.length;
          group.tokens -= waiter.tokens;
        }
        waiter.refuse(new SekishoError('caller_left', { cause: call.signal.reason }));
      };
      call.signal.addEventListener('abort', leave, { once: true });
      const inputs = call.request.input.length;
      if (group.inputs + inputs > maxInputs || group.tokens + waiter.tokens > maxTokens) flush(group, key);
      group.waiting.add(waiter);
      group.inputs += inputs;
      group.tokens += waiter.tokens;
      if (group.inputs >= maxInputs) flush(group, key);
      else limitWait(group, key);
    });
  }

  function limitWait(group: Group, key: string): void {
    if (group.timer !== undefined) return;
    const timer = new AbortController();
    group.timer = timer;
    sleep(waitMs, timer.signal).then(
      () => flush(group, key),
      () => undefined,
    );
  }

  return {
    embed: (target, call) => {
      if (maxInputs <= 1 || call.request.input.length >= maxInputs) return send(target, call);
      // A model in this process gains nothing from a batch.
      const key = target.endpoint.wire === 'static' ? undefined : mergeKey(call);
      if (key === undefined) return send(target, call);
      if (call.signal.aborted) {
        return Promise.reject(new SekishoError('caller_left', { cause: call.signal.reason }));
      }
      const group = groupOf(target, key);
      if (group.underWay === 0) return busy(target, key, () => send(target, call));
      return wait(group, key, { target, call });
    },
  };
}

/** Refusals of a request, which may be the fault of one caller's texts alone. */
function mayBeOneOfThem(thrown: unknown): boolean {
  const { code, fault } = toSekishoError(thrown);
  return fault === 'caller' && code !== 'caller_left' && code !== 'rate_limited';
}

function tokensOf(call: EmbeddingCall): number {
  return Math.max(
    1,
    call.request.input.reduce((sum, text) => sum + estimateTokens(text), 0),
  );
}
