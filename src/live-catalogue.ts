import type { Vault } from './access/vault.ts';
import { limitsOf, limitsSchema } from './config/limits-schema.ts';
import type { PriceBook } from './config/prices.ts';
import { priceSchema, providerSchema } from './config/provider-schema.ts';
import { joinSecrets, providerSecretsSchema } from './config/provider-secrets.ts';
import { describedProvider, priceSettings, type ProviderSettings } from './config/provider-settings.ts';
import { routeSchema, targetPolicySchema } from './config/route-schema.ts';
import { routeSettings, targetPolicySettings } from './config/route-settings.ts';
import type { Settings } from './config/settings.ts';
import type { Catalogue, ProviderEntry } from './gateway/catalogue.ts';
import { createOfferedModels, type OfferedModels } from './gateway/offered-models.ts';
import type { ManagedKind, ManagedSetting, ManagedSettings } from './governance/managed-settings.ts';
import { parseJson } from './lib/json.ts';
import type { Provider } from './ports/provider.ts';
import { LIMIT_SCOPES, type LimitBook, type LimitScope, type Limits } from './spec/limits.ts';
import type { Price } from './spec/money.ts';

/** What is in force now: the file, and over it what administrators have set since. */
export interface LiveCatalogue {
  /** The same object until something changes. */
  current(): Catalogue;
  limitsOf: LimitBook['limitsOf'];
  /** The settings of a provider in force, with its credential. */
  providerSettings(name: string): ProviderSettings | undefined;
  /** Every credential that providers in force are called with, as it is. */
  secrets(): readonly string[];
  /** Asks every remote provider what models it has; in the background. */
  refreshModels(): Promise<void>;
}

interface Built {
  /** What the entry was built from: the file's settings, or a revision of a managed one. */
  from: ProviderSettings | number;
  settings: ProviderSettings;
  entry: ProviderEntry;
  offered: OfferedModels;
}

/** Puts the catalogue together, anew after every change of a managed setting; what did not change is kept. */
export function createLiveCatalogue(options: {
  base: Pick<
    Settings,
    'providers' | 'localServers' | 'routes' | 'targets' | 'limits' | 'retry' | 'retryShare' | 'breaker'
  >;
  managed: ManagedSettings;
  vault: Vault;
  prices: PriceBook;
  /** Providers that answer inside this process. */
  locals: readonly ProviderEntry[];
  build: (settings: ProviderSettings) => { provider: Provider; fleet?: ProviderEntry['fleet'] };
  /** Told of a setting that cannot be put in force; the rest is. */
  onProblem: (setting: { kind: ManagedKind; name: string }, error: unknown) => void;
}): LiveCatalogue {
  const { base, managed, prices } = options;
  const built = new Map<string, Built>();
  let prizes: ReadonlyMap<string, Price> = new Map();
  let limits: Record<LimitScope, ReadonlyMap<string, Limits>> = base.limits;
  let catalogue = assemble();
  let secrets = secretsOf(built.values());

  managed.onChange(() => {
    catalogue = assemble();
    secrets = secretsOf(built.values());
  });

  function assemble(): Catalogue {
    prizes = new Map(judged('price', ({ value }) => priceSettings(priceSchema.parse(value))));
    limits = withManagedLimits();
    const remotes = new Map<string, { from: Built['from']; settings: ProviderSettings; trusted: boolean }>();
    for (const settings of base.providers) remotes.set(settings.name, { from: settings, settings, trusted: true });
    for (const settings of base.localServers) {
      if (!remotes.has(settings.name)) remotes.set(settings.name, { from: settings, settings, trusted: false });
    }
    for (const [name, managedProvider] of judged('provider', (setting) => ({
      from: setting.revision,
      settings: managedProviderSettings(setting),
      trusted: true,
    }))) {
      remotes.set(name, managedProvider);
    }
    for (const name of built.keys()) if (!remotes.has(name)) built.delete(name);
    const routes = new Map(base.routes.map((route) => [route.name, route]));
    for (const [name, route] of judged('route', ({ name: of, value }) =>
      routeSettings(of, routeSchema.parse(value), base.retry),
    )) {
      routes.set(name, route);
    }
    return {
      providers: [...options.locals, ...[...remotes].map(([name, remote]) => entryOf(name, remote))],
      routes: [...routes.values()],
      targets: new Map([
        ...base.targets,
        ...judged('target', ({ value }) => targetPolicySettings(targetPolicySchema.parse(value))),
      ]),
      defaultRetry: base.retry,
      retryShare: base.retryShare,
      breaker: base.breaker,
    };
  }

  /** The managed settings of a kind, judged; what is not valid is reported and left out. */
  function judged<T>(kind: ManagedKind, judge: (setting: ManagedSetting) => T): [string, T][] {
    return managed.all().flatMap((setting): [string, T][] => {
      if (setting.kind !== kind) return [];
      try {
        return [[setting.name, judge(setting)]];
      } catch (error) {
        options.onProblem(setting, error);
        return [];
      }
    });
  }

  function managedProviderSettings(setting: ManagedSetting): ProviderSettings {
    const plain = providerSchema.parse(setting.value);
    if (setting.sealed === undefined) return describedProvider(setting.name, plain, 'API');
    const opened = parseJson(options.vault.open(setting.sealed, placeOf(setting.name)).reveal());
    return describedProvider(setting.name, joinSecrets(plain, providerSecretsSchema.parse(opened)), 'API');
  }

  function withManagedLimits(): Record<LimitScope, ReadonlyMap<string, Limits>> {
    const all = judged('limit', ({ value }) => limitsOf(limitsSchema.parse(value)));
    if (all.length === 0) return base.limits;
    const scopes = { ...base.limits };
    for (const [name, value] of all) {
      const slash = name.indexOf('/');
      const scope = LIMIT_SCOPES.find((each) => each === name.slice(0, slash));
      if (scope !== undefined) scopes[scope] = new Map([...scopes[scope], [name.slice(slash + 1), value]]);
    }
    return scopes;
  }

  function entryOf(name: string, remote: { from: Built['from']; settings: ProviderSettings; trusted: boolean }) {
    const known = built.get(name);
    if (known?.from === remote.from) return known.entry;
    const { settings, trusted } = remote;
    const { provider, fleet } = options.build(settings);
    const listed = prices.modelsOf(name);
    const windows = new Map(listed.map(({ model, contextTokens }) => [model, contextTokens]));
    const offered = createOfferedModels({ provider, given: settings.models, priced: listed });
    const entry: ProviderEntry = {
      provider,
      trusted,
      models: offered.models,
      priceOf: (model) => prizes.get(`${name}/${model}`) ?? settings.prices[model] ?? prices.priceOf(name, model),
      contextOf: (model) => windows.get(model),
      ...(fleet && { fleet }),
    };
    built.set(name, { from: remote.from, settings, entry, offered });
    // The listing of a provider that came while the process runs is asked for at once.
    if (typeof remote.from === 'number') offered.refresh().catch(() => undefined);
    return entry;
  }

  return {
    current: () => catalogue,
    limitsOf: (scope, id) => limits[scope].get(id) ?? limits[scope].get('*'),
    providerSettings: (name) => built.get(name)?.settings,
    secrets: () => secrets,
    refreshModels: async () => {
      await Promise.allSettled([...built.values()].map(({ offered }) => offered.refresh()));
    },
  };
}

/** Shorter ones would take words out of every line. */
const SHORTEST_SECRET = 8;

function secretsOf(built: Iterable<Built>): string[] {
  return [...built].flatMap(({ settings: { credential, aws, headers } }) =>
    [credential, aws?.secretAccessKey, aws?.sessionToken]
      .map((secret) => secret?.reveal() ?? '')
      .concat(Object.values(headers))
      .filter((secret) => secret.length >= SHORTEST_SECRET),
  );
}

/** The place under which the secrets of a provider are sealed. */
export function placeOf(provider: string): string {
  return `provider/${provider}`;
}
