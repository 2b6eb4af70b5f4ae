import { SekishoError } from '../../src/spec/errors.ts';

/** How a call to a store ends badly: before it did anything, or after it did everything. */
export type Moment = 'before' | 'after';

/** Calls of which the n-th (from 1) fails, and by default every later one too, as when a process or its disk ends there. */
export function failingAt(nth: number, moment: Moment, later: 'fail' | 'work' = 'fail') {
  let calls = 0;
  const lost = (): SekishoError => new SekishoError('storage_unavailable', { cause: new Error('injected') });
  return {
    /** How many calls there were. */
    calls: () => calls,
    /** The same for a call that does not wait. */
    callNow: <T>(work: () => T): T => {
      const call = ++calls;
      if ((call > nth && later === 'fail') || (call === nth && moment === 'before')) throw lost();
      const done = work();
      if (call === nth) throw lost();
      return done;
    },
    /** Does what is asked, or fails. */
    call: async <T>(work: () => Promise<T>): Promise<T> => {
      const call = ++calls;
      if ((call > nth && later === 'fail') || (call === nth && moment === 'before')) throw lost();
      const done = await work();
      if (call === nth) throw lost();
      return done;
    },
  };
}
