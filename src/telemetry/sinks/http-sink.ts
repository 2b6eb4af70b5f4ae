import type { Secret } from '../../lib/secret.ts';
import type { Deliver } from '../line-buffer.ts';

const TIMEOUT_MS = 10_000;

/** A sink that will not take a batch however often it is sent. */
export class SinkRefusal extends Error {}

export interface SinkAddress {
  url: string;
  /** Values may be credentials. */
  headers: Readonly<Record<string, Secret>>;
}

/** Batches of JSON lines to an address. What is refused with a 4xx is lost; everything else is tried again. */
export function deliverOverHttp(address: SinkAddress): Deliver {
  return async (lines, signal) => {
    try {
      const response = await postLines(address, lines.join(''), signal);
      await response.body?.cancel();
      return { again: [], lost: 0 };
    } catch (error) {
      if (error instanceof SinkRefusal) return { again: [], lost: lines.length };
      throw error;
    }
  };
}

/**
 * Posts lines. Redirects are not followed, since credentials travel along.
 * @throws SinkRefusal for an answer that no repetition mends; Error for one that may.
 */
export async function postLines({ url, headers }: SinkAddress, body: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-ndjson',
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()])),
    },
    body,
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (response.ok) return response;
  await response.body?.cancel();
  const problem = `The log sink answered ${response.status}.`;
  const passing = response.status >= 500 || response.status === 429 || response.status === 408;
  throw passing ? new Error(problem) : new SinkRefusal(problem);
}
