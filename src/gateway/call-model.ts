import type { CallContext, ChatAnswer, ChatCall, ChatStream, StreamFrame } from '../ports/provider.ts';
import { SekishoError } from '../spec/errors.ts';
import { noUsage, type Usage } from '../spec/usage.ts';
import { openBooks, type CallBooks, type CallBooksDeps } from './call-books.ts';
import type { AnswerCache, CacheLead } from './cache/answer-cache.ts';
import type { EmbeddingCache } from './cache/embedding-cache.ts';
import { resultAsFrames } from './cache/result-as-frames.ts';
import type { Fitter } from './context/fitter.ts';
import { estimateChat, estimateEmbedding, estimateRerank, estimateTokens } from './estimate.ts';
import { meteredFrames, type StreamTally } from './metered-frames.ts';
import type { CallOrigin, EmbedCall, ModelAnswer, ModelCall, ModelGateway } from './model-call.ts';
import type { Plan, ResolvedTarget, RouteBook } from './route-book.ts';
import { endingError } from './settlement.ts';
import { serving, upstreamCall, type Upstream } from './upstream-call.ts';

export interface CallModelDeps extends CallBooksDeps {
  routes: RouteBook;
  answers: AnswerCache;
  embeddings: EmbeddingCache;
  fitter: Pick<Fitter, 'fit'>;
  /** Asks one target for embeddings, together with whoever asks it for the like at the same time. */
  embedTogether: Upstream['embed'];
  /** Told of what a target could not carry and was left out. */
  onUncarried: (call: CallOrigin, target: string, parameters: readonly string[]) => void;
}

/** A chat answer that has begun. */
type Begun = { kind: 'whole'; answer: ChatAnswer } | { kind: 'stream'; stream: ChatStream };

/**
 * The road of every model call, whoever asks: route, admit, guard, cache, fit, attempt, guard, settle. Chat takes
 * all of it; embeddings and reranking take the same road without the steps that only conversations have.
 */
export function createModelGateway(deps: CallModelDeps): ModelGateway {
  return {
    routes: (principal) => deps.routes.list(principal),

    chat: async (call) => {
      const books = openBooks(deps, call, { operation: 'chat', streamed: call.stream });
      let lead: CacheLead | undefined;
      try {
        // 1. Route: a name nobody may use, or that does not exist, must cost nothing.
        const plan = books.route(() =>
          deps.routes.resolve({ ...call, inputTokens: () => estimateChat(call).inputTokens }),
        );

        // 2. Admit: limits and budget are taken before any upstream hears of the call, all or nothing.
        const estimate = lazily(() => estimateChat(call));
        await books.admit(plan, estimate);

        // 3. Guard in: guards of the input stand here, before anything is looked up or sent.

        // 4. Cache: what was answered before needs no upstream, and who asks the same at once waits for one answer.
        const looking = deps.answers.look(call, plan);
        const look = looking && (await books.step('cache', () => looking));
        if (look?.kind === 'hit') return await givenAgain(call, plan, books, look.answer);
        lead = look;

        // 5. Fit and 6. attempt: the prompt is cut for the target at hand, again for each one that is tried. Whatever
        // fails before the first byte may be tried elsewhere; nothing is tried after it.
        const begun = await books.attempt<Begun>(plan, estimate, {
          call: async (target, signal) => {
            const context = upstreamCall(deps, call, { plan, target, signal, books });
            const upstream = await fitted(call, plan, target, { context, books });
            return call.stream
              ? { kind: 'stream', stream: await books.waiting(serving(target, 'streamChat')(upstream)) }
              : { kind: 'whole', answer: await books.waiting(serving(target, 'chat')(upstream)) };
          },
          discard: (late) => {
            if (late.kind === 'stream') void leave(late.stream);
          },
        });

        // 7. Guard out: guards of the output stand here, before an answer is kept or handed over.

        // 8. Settle: a whole answer before it is handed over, a stream before its last frame goes out.
        return begun.value.kind === 'whole'
          ? await settledAnswer(books, begun.value.answer, lead)
          : settlingStream(call, books, begun.value.stream, lead);
      } catch (thrown) {
        lead?.abandon();
        throw await books.failed(thrown);
      }
    },

    embed: (call) =>
      whole(
        call,
        'embedding',
        lazily(() => estimateEmbedding(call)),
        async (plan, books, estimate) => {
          const ask = (asked: EmbedCall) =>
            books.attempt(plan, estimate, {
              call: (target, signal) => {
                const context = upstreamCall(deps, call, { plan, target, signal, books });
                const { request, native } = asked;
                return books.waiting(deps.embedTogether(target, { ...context, request, ...(native && { native }) }));
              },
            });
          return deps.embeddings.embed(call, plan, ask);
        },
      ),

    rerank: (call) =>
      whole(
        call,
        'rerank',
        lazily(() => estimateRerank(call)),
        async (plan, books, estimate) => {
          const begun = await books.attempt(plan, estimate, {
            call: (target, signal) => {
              const context = upstreamCall(deps, call, { plan, target, signal, books });
              return books.waiting(serving(target, 'rerank')({ ...context, request: call.request }));
            },
          });
          return begun.value;
        },
      ),
  };

  /** The road of a call whose answer comes in one piece and has no conversation to fit, guard or keep. */
  async function whole<A extends { usage: Usage }>(
    call: CallOrigin,
    operation: 'embedding' | 'rerank',
    estimate: ReturnType<typeof lazily<ReturnType<typeof estimateChat>>>,
    answered: (plan: Plan, books: CallBooks, estimate: () => ReturnType<typeof estimateChat>) => Promise<A>,
  ) {
    const books = openBooks(deps, call, { operation, streamed: false });
    try {
      const plan = books.route(() => deps.routes.resolve({ ...call, inputTokens: () => estimate().inputTokens }));
      await books.admit(plan, estimate);
      const answer = await answered(plan, books, estimate);
      return { facts: await books.settle({ usage: answer.usage, plan }), answer };
    } catch (thrown) {
      throw await books.failed(thrown);
    }
  }

  /** An answer from the cache: it has used nothing and costs nothing. */
  async function givenAgain(call: ModelCall, plan: Plan, books: CallBooks, answer: ChatAnswer): Promise<ModelAnswer> {
    const facts = await books.settle({ usage: noUsage('reported'), plan, cache: 'hit' });
    return call.stream
      ? { kind: 'stream', facts, frames: resultAsFrames(answer.result()) }
      : { kind: 'whole', facts, answer };
  }

  async function settledAnswer(
    books: CallBooks,
    answer: ChatAnswer,
    lead: CacheLead | undefined,
  ): Promise<ModelAnswer> {
    const facts = await books.settle({ usage: answer.usage, ...(lead && { cache: 'miss' }) });
    lead?.keep(answer);
    return { kind: 'whole', facts, answer };
  }

  function settlingStream(
    call: ModelCall,
    books: CallBooks,
    stream: ChatStream,
    lead: CacheLead | undefined,
  ): ModelAnswer {
    const firstByteMs = books.elapsedMs();
    const frames = meteredFrames({
      stream: lead?.keepStream(stream) ?? stream,
      next: books.waiting,
      onEnd: async (tally, leftEarly) => {
        const error = tally.error ?? (leftEarly === undefined ? undefined : new SekishoError('caller_left'));
        const ended = call.signal.aborted ? endingError(undefined, call.signal) : error;
        const usage = tally.usage ?? estimatedUsage(call, tally);
        await books.settle({ usage, firstByteMs, ...(ended && { error: ended }), ...(lead && { cache: 'miss' }) });
      },
    });
    return { kind: 'stream', facts: books.facts(), frames };
  }

  /** The call as the target takes it: cut to its window where the route says so, else as it came. */
  async function fitted(
    call: ModelCall,
    plan: Plan,
    target: ResolvedTarget,
    at: { context: CallContext; books: CallBooks },
  ) {
    const { context, books } = at;
    const asItCame: ChatCall = { ...context, request: call.request };
    if (call.native !== undefined) asItCame.native = call.native;
    if (plan.context === undefined) return asItCame;
    const { context: policy } = plan;
    const { model, contextTokens: windowTokens } = target;
    const window = windowTokens === undefined ? {} : { windowTokens };
    const cut = await books.step('fit', () =>
      deps.fitter.fit(call.request(), { policy, model, signal: context.signal, origin: call, ...window }),
    );
    // What was cut is no longer the body that came.
    return cut === undefined ? asItCame : { ...context, request: () => cut.request };
  }
}

/** Lets go of a stream that nobody will read. */
async function leave(stream: ChatStream): Promise<void> {
  const frames: AsyncIterator<StreamFrame> = stream.frames[Symbol.asyncIterator]();
  // A generator that was never started would skip its cleanup, so it is started first.
  frames.next().catch(() => undefined);
  await frames.return?.().catch(() => undefined);
}

/** What a stream that broke off is taken to have used: the prompt, and a token for each event passed on. */
function estimatedUsage(call: ModelCall, tally: StreamTally): Usage {
  const inputTokens = call.native === undefined ? estimateChat(call).inputTokens : estimateTokens(call.native.text);
  return { ...noUsage('estimated'), inputTokens, outputTokens: tally.events };
}

/** A value that is made when first asked for. */
function lazily<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
