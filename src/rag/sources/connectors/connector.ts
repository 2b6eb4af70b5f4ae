import type { FileToParse } from '../../ingest/parse/parse-file.ts';

/** What an item holds, as it came. */
export interface FetchedItem extends FileToParse {
  /** What marks this version upstream, where only the answer tells. */
  stamp?: string;
  url?: string;
  /** ISO time of the last change, where the origin tells. */
  modified?: string;
}

/** One thing that can become documents. */
export interface ListedItem {
  kind: 'item';
  /** Names it within its source, the same in every run. */
  key: string;
  /** Changes whenever the content does; absent where only fetching can tell. */
  stamp?: string;
  /**
   * Brings it. Given the stamp of the version that is in the collection it may answer that this is still the one.
   * @throws SourceProblem or GuardedFetchError, whose words may be shown.
   */
  fetch(known: string | undefined, signal: AbortSignal): Promise<FetchedItem | 'unchanged' | 'gone'>;
}

export type Listed =
  | ListedItem
  /** The origin says that it is gone. */
  | { kind: 'gone'; key: string }
  /** Everything whose key begins so has been listed. */
  | { kind: 'listed'; prefix: string }
  /** It is there and cannot be taken. */
  | { kind: 'failed'; key: string; reason: string }
  /** Everything is as it was when the memory was made. */
  | { kind: 'same' };

export interface ListContext {
  signal: AbortSignal;
  /** What the last run that listed everything has left; undefined also where something of it must be looked at again. */
  memory: string | undefined;
}

/** How a listing ended. What is left for the next run is kept only where it was complete. */
export interface ListEnd {
  complete: boolean;
  reason?: string;
  /** It was never meant to tell of everything: what is not in it is not gone for that. */
  isPart?: true;
  memory?: string;
}

/** A kind of origin. Lists what is there; the gates, the removal and the check are the same for all. */
export interface Connector {
  list(context: ListContext): AsyncGenerator<Listed, ListEnd>;
}

/** Why an origin cannot be read, in words for whoever set it up. Never with a secret in it. */
export class SourceProblem extends Error {}
