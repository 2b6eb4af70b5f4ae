import { Secret } from '../lib/secret.ts';
import type { Price } from '../spec/money.ts';
import type { Environment } from './env.ts';
import { KNOWN_PROVIDERS, LOCAL_SERVERS } from './known-providers.ts';
import type { FileConfig, ProviderConfig } from './schema.ts';

export type Flavour = 'standard' | 'azure';

/** One upstream endpoint as the composition root builds it. */
export interface ProviderSettings {
  name: string;
  wire: 'openai' | 'anthropic';
  baseUrl: string;
  credential?: Secret;
  flavour: Flavour;
  apiVersion?: string;
  headers: Record<string, string>;
  /** Absent: what the upstream lists. */
  models?: readonly string[];
  prices: Record<string, Price>;
  timeouts: { connectMs: number; firstByteMs: number; betweenDataMs: number };
  /** Where the settings come from, for doctor. */
  origin: string;
}

const TIMEOUTS = { connectMs: 5_000, firstByteMs: 120_000, betweenDataMs: 60_000 };

/** The endpoints of the file, then those that well-known variables name and the file does not. */
export function providerSettings(config: FileConfig, environment: Environment): ProviderSettings[] {
  const fromFile = Object.entries(config.providers ?? {}).map(([name, provider]) => ofFile(name, provider));
  if (config.discover === false) return fromFile;
  const named = new Set(fromFile.map((provider) => provider.name));
  return [...fromFile, ...discovered(environment).filter((provider) => !named.has(provider.name))];
}

/** Addresses on this machine where a model server may answer; asked in the background after the start. */
export function localServerSettings(config: FileConfig, environment: Environment): ProviderSettings[] {
  if (config.discover === false) return [];
  return LOCAL_SERVERS.filter(({ name }) => config.providers?.[name] === undefined).map(
    ({ name, urlVariable, baseUrl }) => {
      const given = environment.get(urlVariable);
      const url = given === undefined ? baseUrl : /^https?:\/\//.test(given) ? given : `http://${given}`;
      return plain({
        name,
        wire: 'openai',
        baseUrl: `${trimSlash(url.replace('0.0.0.0', '127.0.0.1'))}/v1`,
        origin: url,
      });
    },
  );
}

function discovered(environment: Environment): ProviderSettings[] {
  const found = KNOWN_PROVIDERS.flatMap((known): ProviderSettings[] => {
    const variable = known.keyVariables.find((name) => environment.get(name) !== undefined);
    const key = variable === undefined ? undefined : environment.get(variable);
    if (variable === undefined || key === undefined) return [];
    const given = known.urlVariables.map((name) => environment.get(name)).find((url) => url !== undefined);
    const suffix = known.urlSuffix ?? '';
    const baseUrl = given === undefined ? known.baseUrl : withSuffix(trimSlash(given), suffix);
    return [
      { ...plain({ name: known.name, wire: known.wire, baseUrl, origin: variable }), credential: new Secret(key) },
    ];
  });
  const azureKey = environment.get('AZURE_OPENAI_API_KEY');
  const azureUrl = environment.get('AZURE_OPENAI_ENDPOINT');
  if (azureKey !== undefined && azureUrl !== undefined) {
    found.push({
      ...plain({ name: 'azure', wire: 'openai', baseUrl: trimSlash(azureUrl), origin: 'AZURE_OPENAI_API_KEY' }),
      credential: new Secret(azureKey),
      flavour: 'azure',
      apiVersion: environment.get('OPENAI_API_VERSION') ?? '2024-10-21',
    });
  }
  return found;
}

function ofFile(name: string, provider: ProviderConfig): ProviderSettings {
  const { timeouts, prices } = provider;
  return {
    ...plain({ name, wire: provider.wire, baseUrl: trimSlash(provider.base_url), origin: 'sekisho.yaml' }),
    ...(provider.api_key !== undefined && { credential: new Secret(provider.api_key) }),
    ...(provider.flavour !== undefined && { flavour: provider.flavour }),
    ...(provider.api_version !== undefined && { apiVersion: provider.api_version }),
    ...(provider.headers !== undefined && { headers: provider.headers }),
    ...(provider.models !== undefined && { models: provider.models }),
    prices: Object.fromEntries(
      Object.entries(prices ?? {}).map(([model, price]): [string, Price] => [
        model,
        {
          inputPerMillion: price.input_per_million,
          outputPerMillion: price.output_per_million,
          ...(price.cached_input_per_million !== undefined && {
            cachedInputPerMillion: price.cached_input_per_million,
          }),
          ...(price.cache_write_per_million !== undefined && { cacheWritePerMillion: price.cache_write_per_million }),
        },
      ]),
    ),
    timeouts: {
      connectMs: timeouts?.connect_ms ?? TIMEOUTS.connectMs,
      firstByteMs: timeouts?.first_byte_ms ?? TIMEOUTS.firstByteMs,
      betweenDataMs: timeouts?.between_data_ms ?? TIMEOUTS.betweenDataMs,
    },
  };
}

function plain(given: Pick<ProviderSettings, 'name' | 'wire' | 'baseUrl' | 'origin'>): ProviderSettings {
  return { ...given, flavour: 'standard', headers: {}, prices: {}, timeouts: TIMEOUTS };
}

function withSuffix(url: string, suffix: string): string {
  return url.endsWith(suffix) ? url : `${url}${suffix}`;
}

function trimSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
