import { arrayAt, isJsonObject, parseJson, stringAt, type JsonObject } from '../../lib/json.ts';
import { parseSse, splitSse } from '../../lib/sse.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { brokenStream, createStreamEnding } from '../kit/stream-ending.ts';
import type { OpenStream } from '../kit/upstream.ts';
import { decodeFinish } from './decode.ts';
import { chunkError } from './decode-chunk.ts';
import { findUsage } from './usage.ts';

const DONE = '[DONE]';
const DONE_EVENT = Buffer.from('data: [DONE]\n\n');

/**
 * What metering must look at: a finish reason, usage that is an object, an error, the end. Inside a JSON
 * string the quotes of these names are escaped, so that the text of an answer does not match.
 */
const TELLING = /"finish_reason":\s*"|"usage":\s*\{|"error"|\[DONE\]/;

export interface PassThrough {
  opened: OpenStream;
  target: string;
  /** `hide`: the caller did not ask for the chunk that carries nothing but usage. */
  usageChunk: 'show' | 'hide';
  /** How many answers were asked for; the stream is finished when each has given its reason. */
  choices: number;
}

/** Hands the events on as they came and reads only those that tell of usage, finish or an error. */
export async function* passThrough({ opened, target, usageChunk, choices }: PassThrough): AsyncGenerator<StreamFrame> {
  const ending = createStreamEnding(target);
  let finishes = 0;

  /** What an event tells: `content` is false for the chunk of nothing but usage. */
  function told(chunk: JsonObject): { parts: StreamPart[]; content: boolean } {
    const error = chunkError(chunk, target);
    if (error !== undefined) return { parts: [{ type: 'error', error }], content: true };
    const parts: StreamPart[] = [];
    const usage = findUsage(chunk);
    if (usage !== undefined) parts.push({ type: 'usage', usage });
    const answers = arrayAt(chunk, 'choices').filter(isJsonObject);
    for (const answer of answers) {
      const reason = stringAt(answer, 'finish_reason');
      if (reason && ++finishes === choices) parts.push({ type: 'finish', finish: decodeFinish(reason) });
    }
    return { parts, content: usage === undefined || answers.length > 0 };
  }

  function read(run: Buffer): StreamFrame {
    const parts: StreamPart[] = [];
    const passed: Uint8Array[] = [];
    for (const piece of splitSse(run)) {
      const data = TELLING.test(latin1(piece)) ? (parseSse(piece)[0]?.data ?? '') : '';
      if (data === DONE) {
        ending.done = true;
        opened.complete();
      } else if (data !== '') {
        const chunk = parseJson(data);
        const { parts: heard, content } = isJsonObject(chunk)
          ? told(chunk)
          : { parts: [{ type: 'error' as const, error: brokenStream(target, 'an event was not a JSON object') }], content: true };
        parts.push(...heard);
        // The caller is told of an error in our words, once.
        if (heard.at(-1)?.type === 'error') break;
        if (usageChunk === 'hide' && !content) continue;
      }
      passed.push(piece);
      if (ending.done) break;
    }
    return { bytes: passed.length === 1 && passed[0] ? passed[0] : Buffer.concat(passed), parts };
  }

  for await (const run of ending.guarded(opened.runs)) {
    if (!TELLING.test(latin1(run))) {
      yield { bytes: run, parts: [] };
      continue;
    }
    const frame = read(run);
    ending.see(frame.parts);
    if (frame.parts.length > 0 || frame.bytes?.length !== 0) yield frame;
    if (ending.broken) return;
    if (ending.done) break;
  }
  const last = ending.last();
  if (last !== undefined) yield { parts: [last] };
  // An upstream may finish its answer and close without the terminator that callers wait for.
  else if (!ending.done) yield { bytes: DONE_EVENT, parts: [] };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
