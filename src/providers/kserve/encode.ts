import type { JsonObject } from '../../lib/json.ts';
import type { CallContext } from '../../ports/provider.ts';
import type { ChatRequest, Message } from '../../spec/chat.ts';
import { uncarried } from '../kit/uncarried.ts';
import type { Tensor } from './tensors.ts';

const SPEAKERS = { system: 'System', user: 'User', assistant: 'Assistant' } as const;
const HINTS = new Set([
  'metadata',
  'prediction',
  'prompt_cache_key',
  'prompt_cache_retention',
  'safety_identifier',
  'store',
]);

/** Inputs by which language models tell more than text, and do not repeat the prompt as part of the answer. */
const WISHES = [
  'exclude_input_in_output',
  'return_finish_reason',
  'return_num_input_tokens',
  'return_num_output_tokens',
] as const;
/** Room for the answer where the caller sets no limit: without one some models stop after 16 tokens, or refuse. */
const ANSWER_TOKENS = 1_024;

/** A prompt and how to go on from it, in the names that Triton's language models share. */
export interface TextCall {
  prompt: string;
  parameters: JsonObject;
}

/**
 * A request as one text: the wire has no messages. A lone question goes as it is, a conversation as lines of its
 * speakers. Stop sequences are carried where the model has an input for them. Models of the vLLM backend take
 * all of it as JSON in one input (triton-inference-server/vllm_backend, src/utils/request.py).
 * @throws SekishoError unsupported_parameter naming everything that the wire cannot carry, where the call wants that.
 */
export function encodeText(
  request: ChatRequest,
  call: Pick<CallContext, 'target' | 'onUncarried'>,
  inputs: readonly Tensor[],
): TextCall {
  const unsupported = new Set<string>();
  for (const [name, value] of Object.entries(request.extra ?? {}))
    if (!HINTS.has(name) && !(name === 'n' && value === 1)) unsupported.add(name);
  const takes = (name: string): boolean => inputs.some((input) => input.name === name);
  if ((request.tools ?? []).length > 0 && request.toolChoice?.type !== 'none') unsupported.add('tools');
  if (request.responseFormat !== undefined && request.responseFormat.type !== 'text')
    unsupported.add('response_format');
  if (request.reasoning !== undefined && request.reasoning.effort !== 'none') unsupported.add('reasoning');
  const inOne = takes('sampling_parameters');
  if (request.stop && !inOne && !takes('stop_words')) unsupported.add('stop');
  const prompt = promptOf(request.messages, unsupported);
  uncarried(call, [...unsupported]);
  const limit = request.maxOutputTokens ?? (inOne || takes('max_tokens') ? ANSWER_TOKENS : undefined);
  const sampling: JsonObject = {
    ...(limit !== undefined && { max_tokens: limit }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.topK !== undefined && { top_k: request.topK }),
    ...(request.seed !== undefined && { [takes('random_seed') ? 'random_seed' : 'seed']: request.seed }),
    ...(request.presencePenalty !== undefined && { presence_penalty: request.presencePenalty }),
    ...(request.frequencyPenalty !== undefined && { frequency_penalty: request.frequencyPenalty }),
    ...(request.stop && (inOne || takes('stop_words')) && { [inOne ? 'stop' : 'stop_words']: request.stop }),
  };
  return {
    prompt,
    parameters: {
      ...(inOne ? { sampling_parameters: JSON.stringify(sampling) } : sampling),
      ...Object.fromEntries(WISHES.filter(takes).map((name) => [name, true])),
    },
  };
}

function promptOf(messages: readonly Message[], unsupported: Set<string>): string {
  const said = messages.map((message) => ({ role: message.role, text: textOf(message, unsupported) }));
  const only = said.length === 1 ? said[0] : undefined;
  if (only?.role === 'user') return only.text;
  return [...said.map(({ role, text }) => `${SPEAKERS[role]}: ${text}`), `${SPEAKERS.assistant}:`].join('\n\n');
}

function textOf(message: Message, unsupported: Set<string>): string {
  return message.parts
    .flatMap((part) => {
      if (part.type === 'text') return [part.text];
      if (part.type !== 'reasoning') unsupported.add(part.type === 'audio' ? 'input_audio' : part.type);
      return [];
    })
    .join('\n');
}
