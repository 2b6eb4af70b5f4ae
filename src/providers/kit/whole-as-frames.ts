import type { StreamFrame } from '../../ports/provider.ts';
import type { ChatResult } from '../../spec/chat.ts';
import { resultAsParts } from '../../spec/result-as-parts.ts';

/** A whole answer as the frames of a stream, for upstreams that answer a wish for a stream in one piece. */
export async function* wholeAsFrames(result: ChatResult): AsyncGenerator<StreamFrame> {
  yield await Promise.resolve({ parts: resultAsParts(result) });
}
