import type { Sleep } from '../../lib/sleep.ts';
import type { Endpoint, EndpointSource } from '../../ports/endpoint-source.ts';
import type { Provider } from '../../ports/provider.ts';
import type { ProviderEntry } from '../catalogue.ts';

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
  /** Watches the fleets of these providers and no others from now on. May be called with the same ones again. */
  follow(providers: readonly ProviderEntry[]): void;
  /** Resolves when every fleet that is followed has been asked once, with or without success, or after two seconds. */
  ready(): Promise<void>;
}

/** Where a fleet is now, for the log. */
export interface FleetChange {
  provider: string;
  origins: readonly string[];
}

interface Followed {
  source: EndpointSource;
  instances: readonly Instance[];
  asked: Promise<void>;
  stop: AbortController;
}

/** Places of one fleet that are used; a catalogue that names more is cut short. */
const MAX_INSTANCES = 256;
/** How long a source may take to answer. */
const FIND_MS = 10_000;
/** How long a start may wait for it. */
const READY_MS = 2_000;
/** The wait between two looks is this share shorter or longer, so that replicas do not ask in step. */
const JITTER = 0.1;

/**
 * Watches the fleets of providers in the background. What a source says replaces what was known; where it fails, or says
 * that there is nothing at all, the last known places stay: a catalogue that has lost its data must not take the fleet
 * down with it, and a fleet that is truly gone is ill soon enough. A place that left gets no new calls; calls that are
 * under way there end by themselves.
 */
export function createEndpointBook(options: {
  sleep: Sleep;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Ends the watching. */
  signal: AbortSignal;
  onChange?: (change: FleetChange) => void;
  onProblem?: (provider: string, error: unknown) => void;
}): EndpointBook {
  const { signal } = options;
  const followed = new Map<string, Followed>();
  let revision = 0;

  async function look(entry: ProviderEntry, own: Followed): Promise<void> {
    const { name } = entry.provider;
    try {
      const found = await own.source.find(AbortSignal.any([own.stop.signal, AbortSignal.timeout(FIND_MS)]));
      if (own.stop.signal.aborted) return;
      if (found.length === 0) throw new Error('The source names no endpoints; the last known ones stay.');
      const instances = merged(found, own.instances, entry);
      if (sameInstances(instances, own.instances)) return;
      own.instances = instances;
      revision++;
      options.onChange?.({ provider: name, origins: instances.map(({ origin }) => origin) });
    } catch (thrown) {
      if (!own.stop.signal.aborted) options.onProblem?.(name, thrown);
    }
  }

  async function watch(entry: ProviderEntry, own: Followed): Promise<void> {
    await own.asked;
    while (!own.stop.signal.aborted) {
      const waitMs = own.source.refreshMs * (1 + JITTER * (2 * options.random() - 1));
      await options.sleep(waitMs, own.stop.signal);
      await look(entry, own);
    }
  }

  function begin(entry: ProviderEntry, source: EndpointSource): void {
    const { name } = entry.provider;
    const stop = new AbortController();
    const own: Followed = { source, instances: [], asked: Promise.resolve(), stop };
    followed.set(name, own);
    own.asked = look(entry, own);
    // Stopping ends the wait by an error that says no more than that.
    watch(entry, own).catch(() => undefined);
  }

  function end(name: string): void {
    followed.get(name)?.stop.abort();
    followed.delete(name);
  }

  signal.addEventListener('abort', () => [...followed.keys()].forEach(end), { once: true });

  return {
    get revision() {
      return revision;
    },
    instancesOf: ({ provider, fleet }) =>
      fleet === undefined ? undefined : (followed.get(provider.name)?.instances ?? []),
    follow: (providers) => {
      if (signal.aborted) return;
      const names = new Set(providers.filter(({ fleet }) => fleet !== undefined).map(({ provider }) => provider.name));
      for (const name of followed.keys()) if (!names.has(name)) end(name);
      for (const entry of providers) {
        if (entry.fleet === undefined) continue;
        const known = followed.get(entry.provider.name);
        if (known?.source === entry.fleet.source) continue;
        if (known !== undefined) end(entry.provider.name);
        begin(entry, entry.fleet.source);
      }
    },
    ready: async () => {
      const asked = new AbortController();
      const late = options.sleep(READY_MS, asked.signal).catch(() => undefined);
      await Promise.race([Promise.all([...followed.values()].map((own) => own.asked)), late]);
      asked.abort();
    },
  };
}

/** What was found, each place once; places that were known keep their provider and with it their connections. */
function merged(found: readonly Endpoint[], known: readonly Instance[], entry: ProviderEntry): Instance[] {
  const at = entry.fleet?.at;
  if (at === undefined) return [];
  const places = new Map<string, Endpoint>();
  for (const endpoint of found) {
    if (places.size < MAX_INSTANCES && !places.has(endpoint.origin)) places.set(endpoint.origin, endpoint);
  }
  return [...places.values()]
    .sort((left, right) => (left.origin < right.origin ? -1 : 1))
    .map((endpoint) => {
      const { origin, weight } = endpoint;
      const provider = known.find((instance) => instance.origin === origin)?.provider ?? at(endpoint);
      return { origin, weight, provider };
    });
}

function sameInstances(left: readonly Instance[], right: readonly Instance[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ origin, weight }, index) => origin === right[index]?.origin && weight === right[index].weight)
  );
}
