/** Why a URL was not fetched; the message may be shown to whoever gave the URL. */
export class GuardedFetchError extends Error {}
