import { createGuardedRequest, GuardedFetchError, type GuardedRequestOptions } from './guarded-request.ts';

export interface FetchedMedia {
  bytes: Uint8Array;
  /** Lower case, without parameters; application/octet-stream where the answer does not say. */
  mediaType: string;
}

/** Aborting the signal rejects with its reason. @throws GuardedFetchError for everything else. */
export type GuardedFetch = (url: string, signal: AbortSignal) => Promise<FetchedMedia>;

/** Fetches what a URL names, over the guarded way; see createGuardedRequest. An answer that is not 2xx is a problem. */
export function createGuardedFetch(options: GuardedRequestOptions): GuardedFetch {
  const request = createGuardedRequest(options);
  return async (url, signal) => {
    const { status, headers, bytes } = await request(url, signal);
    if (status < 200 || status > 299) throw new GuardedFetchError('status', `the host answered ${status}`);
    const [type = ''] = (headers.get('content-type') ?? '').split(';');
    return { bytes, mediaType: type.trim().toLowerCase() || 'application/octet-stream' };
  };
}
