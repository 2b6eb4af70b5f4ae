import type { CallContext, EmbeddingAnswer, EmbeddingCall } from '../ports/provider.ts';
import { SekishoError } from '../spec/errors.ts';
import type { CallBooks } from './call-books.ts';
import type { CallOrigin } from './model-call.ts';
import type { Plan, ResolvedTarget } from './route-book.ts';

/** What stands between the gateway and targets for whole kinds of calls. */
export interface Upstream {
  embed(target: ResolvedTarget, call: EmbeddingCall): Promise<EmbeddingAnswer>;
}

/** What every upstream call carries beside its request. */
export function upstreamCall(
  deps: { onUncarried: (call: CallOrigin, target: string, parameters: readonly string[]) => void },
  call: CallOrigin,
  at: { plan: Plan; target: ResolvedTarget; signal: AbortSignal; books: Pick<CallBooks, 'traceHeaders'> },
): CallContext {
  const { plan, target, signal } = at;
  const traced = at.books.traceHeaders(target);
  const context: CallContext = { model: target.model, target: target.name, signal };
  if (call.forwardHeaders !== undefined || traced !== undefined) {
    context.forwardHeaders = { ...call.forwardHeaders, ...traced };
  }
  if (plan.uncarried === 'drop') {
    context.onUncarried = (parameters) => deps.onUncarried(call, target.name, parameters);
  }
  return context;
}

type Verb = 'chat' | 'streamChat' | 'embed' | 'rerank';
const PARAMETERS: Record<Verb, string> = {
  chat: 'chat',
  streamChat: 'chat',
  embed: 'embeddings',
  rerank: 'reranking',
};

/** The verb of a target's endpoint, or a refusal in the caller's words where the endpoint lacks it. */
export function serving<V extends Verb>(target: ResolvedTarget, verb: V) {
  const { endpoint } = target;
  const serve = endpoint[verb];
  if (serve === undefined) {
    const values = { route: target.name, parameters: PARAMETERS[verb] };
    throw new SekishoError('unsupported_parameter', { values, param: 'model' });
  }
  return serve as NonNullable<(typeof endpoint)[V]>;
}
