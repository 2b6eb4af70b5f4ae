import type { ChatStream, StreamFrame } from '../../ports/provider.ts';
import type { ChatResult, StreamPart } from '../../spec/chat.ts';
import { collectResult } from './collect-result.ts';

/** What becomes of a watched stream; called once. */
export type StreamEnd =
  | { kind: 'whole'; result: ChatResult }
  /** It broke, or its reader left before its end. */
  | { kind: 'broken' }
  /** It came to a good end that nobody can put together: too long, or bytes that nothing reads. */
  | { kind: 'unread' };

/**
 * The same stream, watched: frames pass unchanged and in step, and what they said is put together at the end.
 * At most `maxBytes` are held meanwhile; a longer stream is told of as `unread` as soon as it is too long.
 */
export function watchStream(
  stream: ChatStream,
  options: { maxBytes: number; onEnd: (end: StreamEnd) => void },
): ChatStream {
  let seen: StreamFrame[] = [];
  let bytes = 0;
  let told = false;
  let state: 'open' | 'finished' | 'failed' = 'open';
  let knowsUsage = false;

  function tell(end: StreamEnd): void {
    if (told) return;
    told = true;
    seen = [];
    options.onEnd(end);
  }

  function watch(frame: StreamFrame): void {
    for (const part of frame.parts) {
      if (part.type === 'error') state = 'failed';
      else if (part.type === 'finish' && state === 'open') state = 'finished';
      else if (part.type === 'usage') knowsUsage = true;
    }
    if (told) return;
    bytes += sizeOf(frame);
    if (state === 'failed') tell({ kind: 'broken' });
    else if (bytes > options.maxBytes) tell({ kind: 'unread' });
    else seen.push(frame);
  }

  function close(end: 'read to the end' | 'left'): void {
    // Who leaves behind the finish has the whole answer; without its usage it is not known to be all.
    const whole = state === 'finished' && (end === 'read to the end' || knowsUsage);
    if (!whole) return tell({ kind: 'broken' });
    const result = told ? undefined : resultOf(seen, stream.decoder);
    tell(result === undefined ? { kind: 'unread' } : { kind: 'whole', result });
  }

  return {
    ...stream,
    frames: {
      [Symbol.asyncIterator]: () => {
        const frames = stream.frames[Symbol.asyncIterator]();
        return {
          next: async () => {
            try {
              const next = await frames.next();
              if (next.done === true) close('read to the end');
              else watch(next.value);
              return next;
            } catch (thrown) {
              tell({ kind: 'broken' });
              throw thrown;
            }
          },
          return: async () => {
            close('left');
            return (await frames.return?.()) ?? { value: undefined, done: true };
          },
        };
      },
    },
  };
}

/** What frames said; undefined where they cannot be read. */
function resultOf(frames: readonly StreamFrame[], decoder: ChatStream['decoder']): ChatResult | undefined {
  const decode = decoder?.();
  const parts: StreamPart[] = [];
  try {
    for (const { bytes, parts: told } of frames) {
      if (bytes !== undefined && bytes.length > 0) {
        if (decode === undefined) return undefined;
        // Usage and finish are what metering was told: the bytes may not have them.
        parts.push(...decode(bytes).filter((part) => !isTold(part)));
      }
      parts.push(...told);
    }
    return collectResult(parts);
  } catch {
    // The caller has its stream all the same.
    return undefined;
  }
}

function isTold(part: StreamPart): boolean {
  return part.type === 'usage' || part.type === 'finish';
}

function sizeOf({ bytes, parts }: StreamFrame): number {
  let size = bytes?.length ?? 0;
  for (const part of parts) {
    if (part.type === 'text' || part.type === 'reasoning') size += part.text.length * 2;
    else if (part.type === 'tool-call-delta') size += part.arguments.length * 2;
    size += 100;
  }
  return size;
}
