import { arrayAt, isJsonObject, objectAt, parseJson } from '../../lib/json.ts';
import { parseSse } from '../../lib/sse.ts';
import type { EventRuns } from '../kit/upstream.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { decodeChunk } from './decode.ts';

const DONE = '[DONE]';
const DONE_EVENT = Buffer.from('data: [DONE]\n\n');

export interface StreamReading {
  runs: EventRuns;
  target: string;
}

/**
 * Hands the events on as they came and looks only at those that tell of usage, finish or an error; a plain
 * delta is never parsed. With `hideUsage`, the chunk that carries nothing but usage is left out: the caller
 * did not ask for it.
 */
export async function* passThrough({ runs, target, hideUsage }: StreamReading & { hideUsage: boolean }): AsyncGenerator<StreamFrame> {
  const ending = createEnding(target);
  for await (const run of ending.guarded(runs)) {
    if (!run.includes(DONE) && !isTelling(run)) {
      yield { bytes: run, parts: [] };
      continue;
    }
    const parts: StreamPart[] = [];
    let text = '';
    // Cut after each blank line, so that the pieces together are the run to the byte.
    for (const piece of run.toString('utf8').split(/(?<=\r\n\r\n|\n\n|\r\r)/)) {
      const told = tellingParts(piece, target);
      parts.push(...told.parts);
      if (told.done) ending.done = true;
      if (told.parts.some((part) => part.type === 'error')) break;
      if (!(hideUsage && told.usageOnly)) text += piece;
    }
    ending.see(parts);
    yield { bytes: Buffer.from(text), parts };
    if (ending.broken) return;
  }
  const last = ending.last();
  if (last !== undefined) yield { parts: [last] };
  // An upstream may finish its answer and close without the terminator that callers wait for.
  else if (!ending.done) yield { bytes: DONE_EVENT, parts: [] };
}

/** Every event in the vocabulary, for callers of another dialect. Usage comes before finish, whatever the order upstream. */
export async function* decodeStream({ runs, target }: StreamReading): AsyncGenerator<StreamFrame> {
  const ending = createEnding(target);
  const progress = { started: false, target };
  let finish: StreamPart | undefined;
  for await (const run of ending.guarded(runs)) {
    const parts: StreamPart[] = [];
    for (const { data } of parseSse(run)) {
      if (data === DONE) {
        ending.done = true;
        continue;
      }
      const chunk = parseJson(data);
      parts.push(
        ...(isJsonObject(chunk) ? decodeChunk(chunk, progress) : [{ type: 'error' as const, error: broken(target, 'an event was not JSON') }]),
      );
    }
    ending.see(parts);
    finish = parts.findLast((part) => part.type === 'finish') ?? finish;
    const now = parts.filter((part) => part.type !== 'finish');
    if (now.length > 0) yield { parts: now };
    if (ending.broken) return;
  }
  const last = ending.last();
  yield { parts: [last ?? finish ?? { type: 'finish', finish: 'stop' }] };
}

/** Watches how a stream ends: whole, torn, or with an error of its own. */
function createEnding(target: string) {
  let failure: StreamPart | undefined;
  let finished = false;
  const ending = {
    done: false,
    broken: false,
    see(parts: readonly StreamPart[]): void {
      finished ||= parts.some((part) => part.type === 'finish');
      ending.broken ||= parts.some((part) => part.type === 'error');
    },
    /** The runs; what breaks them after the finish is of no matter, what breaks them before is the ending. */
    async *guarded(runs: EventRuns): EventRuns {
      try {
        yield* runs;
      } catch (thrown) {
        if (thrown instanceof SekishoError && thrown.code === 'caller_left') throw thrown;
        failure = { type: 'error', error: thrown instanceof SekishoError ? thrown : broken(target, thrown) };
      }
    },
    last(): StreamPart | undefined {
      if (finished || ending.done) return undefined;
      return failure ?? { type: 'error', error: broken(target, 'the stream closed before it was done') };
    },
  };
  return ending;
}

function broken(target: string, cause: unknown): SekishoError {
  return new SekishoError('upstream_broken', { values: { target }, cause });
}

/** Whether a run may tell of more than text. Inside strings quotes are escaped, so text cannot look like these. */
function isTelling(run: Buffer): boolean {
  return holdsValue(run, '"usage"', 'n') || holdsValue(run, '"finish_reason"', 'n') || run.includes('"error"');
}

/** Whether `key` stands in the bytes with a value that does not start with `not`: n for null. */
function holdsValue(run: Buffer, key: string, not: string): boolean {
  for (let at = run.indexOf(key); at !== -1; at = run.indexOf(key, at + key.length)) {
    let next = at + key.length;
    while (next < run.length && (run[next] === 32 || run[next] === 58)) next++;
    if (run[next] !== not.charCodeAt(0)) return true;
  }
  return false;
}

function tellingParts(piece: string, target: string): { parts: StreamPart[]; done: boolean; usageOnly: boolean } {
  let done = false;
  let usageOnly = false;
  const parts: StreamPart[] = [];
  for (const { data } of parseSse(Buffer.from(piece))) {
    if (data === DONE) {
      done = true;
      continue;
    }
    const chunk = parseJson(data);
    if (!isJsonObject(chunk)) continue;
    const told = decodeChunk(chunk, { started: true, target });
    usageOnly = objectAt(chunk, 'usage') !== undefined && arrayAt(chunk, 'choices').length === 0;
    parts.push(...told.filter((part) => part.type === 'usage' || part.type === 'finish' || part.type === 'error'));
  }
  return { parts, done, usageOnly };
}
