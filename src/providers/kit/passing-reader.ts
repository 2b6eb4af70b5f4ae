import { isJsonObject, parseJson, type JsonObject } from '../../lib/json.ts';
import { parseSse, splitSse } from '../../lib/sse.ts';
import type { StreamFrame } from '../../ports/provider.ts';
import type { StreamPart } from '../../spec/chat.ts';
import { brokenStream, type ReadRun, type RunReader } from './run-reader.ts';

/** What an event tells to metering. */
export interface ToldEvent {
  /** Usage, finish, or an error, which ends the stream. */
  parts: StreamPart[];
  /** True where the caller did not ask for this event and is not to see it. */
  hidden: boolean;
}

/** What a wire tells metering, and how. */
export interface PassingWire {
  /** Finds, in an event's bytes, everything that metering must look at; text of an answer never matches. */
  telling: RegExp;
  /** True for the last event, which may tell something itself. */
  isEnd(data: string, event: JsonObject | undefined): boolean;
  tell(event: JsonObject): ToldEvent;
  finished(): boolean;
  /** The event that ends a stream, for an upstream that leaves it out. */
  endMark: Buffer;
}

const NOTHING: ToldEvent = { parts: [], hidden: false };

/** Hands the events on as they came and parses only those that tell of usage, finish, an error or the end. */
export function createPassingReader(target: string, wire: PassingWire): RunReader {
  let ended = false;

  function readClosely(run: Buffer): ReadRun {
    const parts: StreamPart[] = [];
    const passed: Uint8Array[] = [];
    for (const piece of splitSse(run)) {
      const data = wire.telling.test(piece.toString('latin1')) ? (parseSse(piece)[0]?.data ?? '') : '';
      if (data === '') {
        passed.push(piece);
        continue;
      }
      const json = parseJson(data);
      const event = isJsonObject(json) ? json : undefined;
      const isEnd = wire.isEnd(data, event);
      if (event === undefined && !isEnd) {
        parts.push({ type: 'error', error: brokenStream(target, 'an event was not a JSON object') });
        break;
      }
      const told = event === undefined ? NOTHING : wire.tell(event);
      parts.push(...told.parts);
      // The caller is told of an error in our words, once.
      if (told.parts.at(-1)?.type === 'error') break;
      if (!told.hidden) passed.push(piece);
      if (isEnd) {
        ended = true;
        break;
      }
    }
    return { frame: frameOf(passed, parts), ended };
  }

  return {
    read: (run) =>
      wire.telling.test(run.toString('latin1')) ? readClosely(run) : { frame: { bytes: run, parts: [] }, ended: false },
    get finished() {
      return wire.finished();
    },
    close: () => {
      const parts: StreamPart[] = wire.finished() ? [] : [{ type: 'finish', finish: 'other' }];
      return Promise.resolve(ended ? { parts } : { bytes: wire.endMark, parts });
    },
  };
}

function frameOf(passed: readonly Uint8Array[], parts: StreamPart[]): StreamFrame {
  const [only] = passed;
  return { bytes: passed.length === 1 && only !== undefined ? only : Buffer.concat(passed), parts };
}
