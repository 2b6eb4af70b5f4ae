import { createSseFramer } from '../../src/lib/sse.ts';
import type { StreamFrame } from '../../src/ports/provider.ts';
import type { OpenStream } from '../../src/providers/kit/upstream.ts';
import type { StreamPart } from '../../src/spec/chat.ts';
import { noUsage } from '../../src/spec/usage.ts';

/** An event stream that comes in packets of this many bytes and, if told to, dies at its end. */
export function openStream(text: string, options: { packetBytes?: number; dies?: Error } = {}): OpenStream {
  const bytes = Buffer.from(text);
  const { packetBytes = bytes.length, dies } = options;
  async function* runs(): AsyncGenerator<Buffer, void, undefined> {
    const framer = createSseFramer();
    for (let at = 0; at < bytes.length; at += packetBytes) {
      const run = framer.push(bytes.subarray(at, at + packetBytes));
      if (run !== undefined) yield Buffer.from(run);
    }
    if (dies !== undefined) throw dies;
    const last = framer.end();
    if (last !== undefined) yield Buffer.from(last);
  }
  return { runs: runs(), complete: () => undefined };
}

/** An estimate that is easily told from what an upstream reports. */
export const estimate = async (answered: string) => ({ ...noUsage('estimated'), outputTokens: answered.length });

/** Everything that a stream hands on. */
export async function collect(frames: AsyncIterable<StreamFrame>): Promise<{ parts: StreamPart[]; bytes: string }> {
  const parts: StreamPart[] = [];
  const bytes: Uint8Array[] = [];
  for await (const frame of frames) {
    parts.push(...frame.parts);
    if (frame.bytes !== undefined) bytes.push(frame.bytes);
  }
  return { parts, bytes: Buffer.concat(bytes).toString('utf8') };
}
