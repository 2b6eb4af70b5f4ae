import { formatSse } from '../../../lib/format-sse.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { ContentPart, FinishReason } from '../../../spec/chat.ts';
import { noUsage, type Usage } from '../../../spec/usage.ts';
import type { AnswerDialect } from '../dialect.ts';

/** Usage in the words of the plain endpoints. */
export function encodeUsage(usage: Usage): { input_tokens: number; output_tokens: number; total_tokens: number } {
  const { inputTokens, outputTokens } = usage;
  return { input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}

/** The text of an answer, without its reasoning. */
export function plainText(parts: readonly ContentPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/**
 * The answer of `POST /v1/generate`: whole, or as the events `delta` ({text}), `done` (the whole answer) and
 * `error`.
 */
export const plainAnswer: AnswerDialect = {
  encodeResult: (result, { route }) => ({
    text: plainText(result.parts),
    model: result.model === '' ? route : result.model,
    finish: result.finish,
    usage: encodeUsage(result.usage),
  }),
  streamEncoder: ({ route }) => {
    let text = '';
    let model = route;
    let usage = noUsage();
    let finish: FinishReason = 'stop';
    const send = (event: string, data: JsonObject): string => formatSse({ event, data: JSON.stringify(data) });
    return {
      encode: (part) => {
        if (part.type === 'start' && part.model !== '') model = part.model;
        if (part.type === 'usage') usage = part.usage;
        if (part.type === 'finish') finish = part.finish;
        if (part.type !== 'text' || part.text === '') return '';
        text += part.text;
        return send('delta', { text: part.text });
      },
      end: () => send('done', { text, model, finish, usage: encodeUsage(usage) }),
    };
  },
  encodeStreamError: (error, language, requestId) =>
    formatSse({
      event: 'error',
      data: JSON.stringify({
        error: { code: error.code, message: error.messageIn(language), request_id: requestId },
      }),
    }),
};
