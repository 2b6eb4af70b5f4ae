import type { ProviderEntry } from '../catalogue.ts';
import type { Provider } from '../../ports/provider.ts';

/** A provider at one of the places where it answers. */
export interface Instance {
  origin: string;
  weight: number;
  provider: Provider;
}

/** Where providers answer now. */
export interface EndpointBook {
  /** Another number after every change, so that what was derived can be told to be stale. */
  readonly revision: number;
  /** The places of a provider that answers at several; empty until the first are known. Undefined: it has no fleet. */
  instancesOf(entry: ProviderEntry): readonly Instance[] | undefined;
  /** Watches the fleets of these providers and no others from now on. */
  follow(providers: readonly ProviderEntry[]): void;
  /** Resolves when every fleet that is followed has been asked once, with or without success. */
  ready(): Promise<void>;
}
