import type { Provider } from '../ports/provider.ts';
import type { KnownModel } from './catalogue.ts';

/** The models of one provider, as far as known; asks the upstream in the background. */
export interface OfferedModels {
  models(): readonly KnownModel[];
  /** Asks the upstream now; what was known stays where it does not answer. */
  refresh(): Promise<void>;
}

const LISTING_MS = 10_000;
const EMBEDDING = /embed|\bbge\b|\be5\b|minilm/i;

/**
 * Models on offer: those given by the configuration, or else what the upstream lists, and until it has
 * answered what the price list knows. A name that speaks of embedding is taken for an embedding model,
 * because no listing says so.
 */
export function createOfferedModels(options: {
  provider: Provider;
  given: readonly string[] | undefined;
  priced: readonly KnownModel[];
}): OfferedModels {
  const kindOf = (model: string): KnownModel =>
    options.priced.find((known) => known.model === model) ?? {
      model,
      kinds: [EMBEDDING.test(model) ? 'embedding' : 'chat'],
    };
  let known = options.given?.map(kindOf) ?? options.priced;
  return {
    models: () => known,
    refresh: async () => {
      if (options.given !== undefined || options.provider.listModels === undefined) return;
      const listed = await options.provider.listModels(AbortSignal.timeout(LISTING_MS));
      if (listed.length > 0) known = listed.map(kindOf);
    },
  };
}
