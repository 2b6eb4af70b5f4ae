import type { Resolver } from 'node:dns/promises';

/** The questions that discovery asks of DNS. */
export type DnsLookup = Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveSrv'>;

/** Resolves with the answer, or rejects as soon as the signal is aborted; a resolver of Node takes no signal. */
export async function abortable<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error('The lookup was aborted.'));
  });
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
