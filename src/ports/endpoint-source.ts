import type { Secret } from '../lib/secret.ts';

/** One place at which a provider answers. */
export interface Endpoint {
  /** `http://10.0.0.5:8000`: scheme, host and port. */
  origin: string;
  weight: number;
}

/** Where a provider's endpoints are found: a list, DNS, a catalogue of services. */
export interface EndpointSource {
  /** The endpoints now. Rejects where they cannot be learned; the caller keeps what it knew. */
  find(signal: AbortSignal): Promise<Endpoint[]>;
  /** How long an answer holds. */
  readonly refreshMs: number;
}

/** How a source is described: what it asks, and how long an answer holds. */
export type EndpointSettings = { refreshMs: number } & (
  | { kind: 'list'; origins: readonly string[] }
  | { kind: 'dns'; host: string; port: number; scheme: 'http' | 'https' }
  | { kind: 'srv'; name: string; scheme: 'http' | 'https' }
  | { kind: 'consul'; url: string; service: string; tag?: string; token?: Secret; scheme: 'http' | 'https' }
);
