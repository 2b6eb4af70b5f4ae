import type { WireBody } from '../ports/provider.ts';
import type { ChatRequest } from '../spec/chat.ts';
import { SekishoError } from '../spec/errors.ts';
import { noUsage } from '../spec/usage.ts';
import { openBooks, type CallBooksDeps } from './call-books.ts';
import type { Fitter } from './context/fitter.ts';
import type { CallOrigin, SettledFacts } from './model-call.ts';
import type { ResolvedTarget, RouteBook } from './route-book.ts';
import { upstreamCall } from './upstream-call.ts';

export interface CountTokensDeps extends CallBooksDeps {
  routes: RouteBook;
  /** Counts by the tokeniser of a model where it is known, else a little above. */
  count: Fitter['count'];
  onUncarried: (call: CallOrigin, target: string, parameters: readonly string[]) => void;
}

export interface CountCall extends CallOrigin {
  request: () => ChatRequest;
  /** The body as it came, where the caller speaks a wire. */
  native?: WireBody;
}

export interface CountOutcome {
  facts: SettledFacts;
  inputTokens: number;
}

/** Counting makes nothing, but it is a request of the key and may be one to the upstream. */
const ESTIMATE = { inputTokens: 0, maxOutputTokens: 0 };

/**
 * How many tokens a chat call would read. Asked of the upstream where it can count itself, counted here where it
 * cannot. It is admitted as a request that uses no tokens and is written into the ledger as `count`, at no cost:
 * no way to an upstream goes past the books.
 */
export function createCountTokens(deps: CountTokensDeps): (call: CountCall) => Promise<CountOutcome> {
  return async (call) => {
    const books = openBooks(deps, call, { operation: 'count', streamed: false });
    try {
      const plan = books.route(() => deps.routes.resolve({ ...call, inputTokens: () => 0 }));
      await books.admit(plan, () => ESTIMATE);
      const counted = await books.attempt(plan, () => ESTIMATE, {
        call: async (target, signal) => {
          const { countTokens } = target.endpoint;
          if (countTokens === undefined) return countHere(call, target);
          const context = upstreamCall(deps, call, { plan, target, signal, books });
          const { request, native } = call;
          try {
            return await books.waiting(countTokens({ ...context, request, ...(native && { native }) }));
          } catch (thrown) {
            // Many who serve the wire leave counting out.
            if (thrown instanceof SekishoError && thrown.code === 'upstream_not_found') return countHere(call, target);
            throw thrown;
          }
        },
      });
      return { facts: await books.settle({ usage: noUsage('reported'), plan }), inputTokens: counted.value };
    } catch (thrown) {
      throw await books.failed(thrown);
    }
  };

  function countHere(call: CountCall, target: ResolvedTarget): Promise<number> {
    return deps.count(call.request(), target.model);
  }
}
