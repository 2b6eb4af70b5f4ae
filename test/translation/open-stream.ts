import { createSseFramer } from '../../src/lib/sse.ts';
import type { StreamFrame } from '../../src/ports/provider.ts';
import { createEventDecoder } from '../../src/providers/anthropic/decode-event.ts';
import { createPassing as passAnthropic } from '../../src/providers/anthropic/passing.ts';
import type { EventFramer } from '../../src/providers/kit/event-source.ts';
import { createEventDecoder as createGeminiDecoder } from '../../src/providers/gemini/decode-event.ts';
import { createDecodingReader } from '../../src/providers/kit/decoding-reader.ts';
import { createPassingReader } from '../../src/providers/kit/passing-reader.ts';
import type { RunReader } from '../../src/providers/kit/run-reader.ts';
import { streamFrames } from '../../src/providers/kit/stream-frames.ts';
import type { OpenStream } from '../../src/providers/kit/upstream.ts';
import { createChunkDecoder } from '../../src/providers/openai/decode-chunk.ts';
import { createPassing as passOpenAi, type PassingOptions } from '../../src/providers/openai/passing.ts';
import type { StreamPart } from '../../src/spec/chat.ts';
import { noUsage } from '../../src/spec/usage.ts';

export interface Packets {
  packetBytes?: number;
  /** What the upstream dies of after its last packet. */
  dies?: Error;
}

/** Everything that a stream hands on. */
export interface Collected {
  parts: StreamPart[];
  bytes: string;
}

/** An estimate that is easily told from what an upstream reports. */
export const estimate = async (answered: string) => ({ ...noUsage('estimated'), outputTokens: answered.length });

/** A recorded stream as each road takes it. */
export const roads = {
  decodeOpenAi: (text: string, packets: Packets = {}) =>
    collect(text, packets, createDecodingReader('t', createChunkDecoder('t'), estimate)),
  decodeAnthropic: (text: string, packets: Packets = {}) =>
    collect(
      text,
      packets,
      createDecodingReader(
        't',
        createEventDecoder('t', () => 7),
        estimate,
      ),
    ),
  decodeGemini: (text: string, packets: Packets = {}) =>
    collect(
      text,
      packets,
      createDecodingReader('t', createGeminiDecoder({ target: 't', model: 'gemini-x', nowMs: () => 7 }), estimate),
    ),
  passOpenAi: (text: string, more: Partial<PassingOptions> = {}, packets: Packets = {}) =>
    collect(
      text,
      packets,
      createPassingReader('t', passOpenAi({ target: 't', usageChunk: 'show', choices: 1, ...more })),
    ),
  passAnthropic: (text: string, packets: Packets = {}) =>
    collect(text, packets, createPassingReader('t', passAnthropic('t'))),
};

/** Runs a recorded stream through a reader; a wire that sends no server-sent events brings its own framer. */
export async function collect(
  recorded: string | Uint8Array,
  packets: Packets,
  reader: RunReader,
  framer: EventFramer = createSseFramer(),
): Promise<Collected> {
  const parts: StreamPart[] = [];
  const bytes: Uint8Array[] = [];
  const frames: AsyncIterable<StreamFrame> = streamFrames(await openStream(recorded, packets, framer), 't', reader);
  for await (const frame of frames) {
    parts.push(...frame.parts);
    if (frame.bytes !== undefined) bytes.push(frame.bytes);
  }
  return { parts, bytes: Buffer.concat(bytes).toString('utf8') };
}

/** An event stream that comes in packets of this many bytes and, if told to, dies at its end. */
async function openStream(
  recorded: string | Uint8Array,
  { packetBytes = 1_000_000, dies }: Packets,
  framer: EventFramer,
): Promise<OpenStream> {
  const bytes = Buffer.from(recorded);
  let at = 0;
  const next = async (): Promise<Buffer | undefined> => {
    while (at < bytes.length) {
      const run = framer.push(bytes.subarray(at, (at += packetBytes)));
      if (run !== undefined) return Buffer.from(run);
    }
    if (dies !== undefined) throw dies;
    const last = framer.end();
    return last === undefined ? undefined : Buffer.from(last);
  };
  const first = await next();
  if (first === undefined) throw new Error('a stream without an event');
  return { first, source: { next, complete: () => undefined, abort: () => undefined } };
}
