import type { StreamFrame } from '../../ports/provider.ts';

/**
 * Takes the first frame, so that an error that stands in place of an answer is thrown while another target
 * may still be tried. Everything later comes as it is.
 * @throws SekishoError of an error part in a first frame that holds nothing else.
 */
export async function startFrames(frames: AsyncGenerator<StreamFrame>): Promise<AsyncIterable<StreamFrame>> {
  const first = await frames.next();
  let pending: IteratorResult<StreamFrame> | undefined = first;
  if (first.done !== true) {
    const [part] = first.value.parts;
    if (part?.type === 'error' && (first.value.bytes?.length ?? 0) === 0) {
      await frames.return(undefined);
      throw part.error;
    }
  }
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        if (pending === undefined) return frames.next();
        const result = pending;
        pending = undefined;
        return Promise.resolve(result);
      },
      return: () => frames.return(undefined),
    }),
  };
}
