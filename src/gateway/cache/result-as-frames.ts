import type { StreamFrame } from '../../ports/provider.ts';
import type { ChatResult } from '../../spec/chat.ts';
import { resultAsParts } from '../../spec/result-as-parts.ts';

/** A kept answer as a stream of one frame, for callers who want a stream. */
export async function* resultAsFrames(result: ChatResult): AsyncGenerator<StreamFrame> {
  yield await Promise.resolve({ parts: resultAsParts(result) });
}
