import type { Clock } from '../../lib/clock.ts';
import { systemClock } from '../../lib/clock.ts';
import type { ChatCall, Provider, StreamFrame } from '../../ports/provider.ts';
import type { StaticTextEncoder, TextAnalyser } from '../../ports/text-analyser.ts';
import type { ChatRequest, StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import type { ExtractiveAnswer } from './compose-answer.ts';
import { composeAnswer } from './compose-answer.ts';

export interface ExtractiveProviderDeps {
  analyser: TextAnalyser;
  /** Adds likeness of meaning to likeness of words; without it a question finds no passage of another language. */
  encoder?: StaticTextEncoder;
  /** Makes the id of an answer. */
  ids?: () => string;
  clock?: Clock;
}

const MODEL = 'sentences';

/**
 * The provider that needs no model: it answers the last user message with one to three sentences of the
 * request's passages, word for word and cited, or says that they do not answer.
 * Errors: unsupported_parameter for tools and for response formats other than text.
 */
export function createExtractiveProvider(deps: ExtractiveProviderDeps): Provider {
  const clock = deps.clock ?? systemClock;
  const ids = deps.ids ?? (() => newId('chatcmpl', clock.nowMs()));
  const { analyser, encoder } = deps;

  const answer = (call: ChatCall): ExtractiveAnswer => {
    stopIfLeft(call.signal);
    const request = call.request();
    refuseUnsupported(request, call.target);
    return composeAnswer({ analyser, ...(encoder === undefined ? {} : { encoder }) }, request);
  };

  return {
    name: 'extractive',
    wire: 'extractive',
    async chat(call) {
      const { pieces, citations, usage, finish } = answer(call);
      const result = {
        id: ids(),
        model: call.model,
        createdMs: clock.nowMs(),
        parts: [{ type: 'text' as const, text: pieces.join('') }],
        finish,
        usage,
        ...(citations.length === 0 ? {} : { citations }),
      };
      return { usage, result: () => result };
    },
    async streamChat(call) {
      const whole = answer(call);
      const start: StreamPart = { type: 'start', id: ids(), model: call.model, createdMs: clock.nowMs() };
      return { wire: 'extractive', frames: framesOf(start, whole, call.signal) };
    },
    async listModels() {
      return [MODEL];
    },
  };
}

async function* framesOf(
  start: StreamPart,
  answer: ExtractiveAnswer,
  signal: AbortSignal,
): AsyncGenerator<StreamFrame> {
  yield { parts: [start] };
  for (const text of answer.pieces) {
    stopIfLeft(signal);
    yield { parts: [{ type: 'text', text }] };
  }
  const { citations, usage, finish } = answer;
  const end: StreamPart[] = [
    { type: 'usage', usage },
    { type: 'finish', finish },
  ];
  yield { parts: citations.length === 0 ? end : [{ type: 'citations', citations }, ...end] };
}

function stopIfLeft(signal: AbortSignal): void {
  if (signal.aborted) throw new SekishoError('caller_left', { cause: signal.reason });
}

function refuseUnsupported(request: ChatRequest, target: string): void {
  const parameters: string[] = [];
  if ((request.tools ?? []).length > 0 && request.toolChoice?.type !== 'none') parameters.push('tools');
  if (request.responseFormat !== undefined && request.responseFormat.type !== 'text')
    parameters.push('response_format');
  const param = parameters[0];
  if (param === undefined) return;
  throw new SekishoError('unsupported_parameter', {
    values: { route: target, parameters: parameters.join(', ') },
    param,
  });
}
