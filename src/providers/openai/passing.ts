import { arrayAt, isJsonObject, stringAt } from '../../lib/json.ts';
import type { StreamPart } from '../../spec/chat.ts';
import type { PassingWire } from '../kit/passing-reader.ts';
import { decodeFinish } from './decode.ts';
import { chunkError } from './decode-chunk.ts';
import { findUsage } from './usage.ts';

export interface PassingOptions {
  target: string;
  /** `hide`: the caller did not ask for the chunk that carries nothing but usage. */
  usageChunk: 'show' | 'hide';
  /** How many answers were asked for; the stream is finished when each has given its reason. */
  choices: number;
}

/**
 * What the OpenAI wire tells metering: a finish reason, usage that is an object, an error, the end. Inside a
 * JSON string the quotes of these names are escaped, so that the text of an answer does not match.
 */
export function createPassing({ target, usageChunk, choices }: PassingOptions): PassingWire {
  let finishes = 0;
  return {
    telling: /"finish_reason":\s*"|"usage":\s*\{|"error"|\[DONE\]/,
    endMark: Buffer.from('data: [DONE]\n\n'),
    isEnd: (data) => data === '[DONE]',
    finished: () => finishes >= choices,
    tell(chunk) {
      const error = chunkError(chunk, target);
      if (error !== undefined) return { parts: [{ type: 'error', error }], hidden: true };
      const parts: StreamPart[] = [];
      const usage = findUsage(chunk);
      if (usage !== undefined) parts.push({ type: 'usage', usage });
      const answers = arrayAt(chunk, 'choices').filter(isJsonObject);
      for (const answer of answers) {
        const reason = stringAt(answer, 'finish_reason');
        if (reason && ++finishes === choices) parts.push({ type: 'finish', finish: decodeFinish(reason) });
      }
      return { parts, hidden: usageChunk === 'hide' && usage !== undefined && answers.length === 0 };
    },
  };
}
