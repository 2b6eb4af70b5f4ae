import { Secret } from '../lib/secret.ts';
import type { EndpointSettings } from '../ports/endpoint-source.ts';
import type { Price } from '../spec/money.ts';
import type { RemoteWire } from '../spec/wire.ts';
import type { Environment } from './env.ts';
import { KNOWN_PROVIDERS, LOCAL_SERVERS } from './known-providers.ts';
import type { PriceConfig, ProviderConfig } from './provider-schema.ts';
import type { FileConfig } from './schema.ts';

export type Flavour = 'standard' | 'azure';

/** One upstream endpoint as the composition root builds it. */
export interface ProviderSettings {
  name: string;
  wire: RemoteWire;
  baseUrl: string;
  credential?: Secret;
  flavour: Flavour;
  apiVersion?: string;
  /** Body forms that an endpoint of the openai wire takes beside chat; absent: the vendor's own. */
  forms?: readonly ('responses' | 'completions')[];
  /** What the endpoint calls the texts it reranks; absent: documents. */
  rerank?: 'documents' | 'texts';
  aws?: { region: string; accessKeyId?: string; secretAccessKey?: Secret; sessionToken?: Secret };
  idleUnloadMs?: number;
  /** Places in place of the host of `baseUrl`. */
  endpoints?: EndpointSettings;
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
  const fromFile = Object.entries(config.providers ?? {}).map(([name, provider]) =>
    describedProvider(name, provider, 'sekisho.yaml'),
  );
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
  const region = environment.get('AWS_REGION') ?? environment.get('AWS_DEFAULT_REGION');
  const bearer = environment.get('AWS_BEARER_TOKEN_BEDROCK');
  const accessKeyId = environment.get('AWS_ACCESS_KEY_ID');
  const secretAccessKey = environment.get('AWS_SECRET_ACCESS_KEY');
  const sessionToken = environment.get('AWS_SESSION_TOKEN');
  if (region !== undefined && (bearer !== undefined || (accessKeyId !== undefined && secretAccessKey !== undefined))) {
    found.push({
      ...plain({
        name: 'bedrock',
        wire: 'bedrock',
        baseUrl: `https://bedrock-runtime.${region}.amazonaws.com`,
        origin: bearer === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_BEARER_TOKEN_BEDROCK',
      }),
      ...(bearer !== undefined && { credential: new Secret(bearer) }),
      aws: {
        region,
        ...(accessKeyId !== undefined && { accessKeyId }),
        ...(secretAccessKey !== undefined && { secretAccessKey: new Secret(secretAccessKey) }),
        ...(sessionToken !== undefined && { sessionToken: new Secret(sessionToken) }),
      },
    });
  }
  return found;
}

/** An endpoint that the file or the API describes. @throws ProviderProblem where its wire needs what is not given. */
export function describedProvider(name: string, provider: ProviderConfig, origin: string): ProviderSettings {
  const { timeouts, prices, wire, aws } = provider;
  const baseUrl = provider.base_url ?? VENDOR_ADDRESSES[wire]?.(aws?.region);
  if (baseUrl === undefined) throw new ProviderProblem(`providers.${name}.base_url`, 'The wire needs an address.');
  if (wire === 'bedrock' && aws === undefined) {
    throw new ProviderProblem(`providers.${name}.aws`, 'The bedrock wire needs a region.');
  }
  return {
    ...plain({ name, wire, baseUrl: trimSlash(baseUrl), origin }),
    ...(provider.api_key !== undefined && { credential: new Secret(provider.api_key) }),
    ...(provider.flavour !== undefined && { flavour: provider.flavour }),
    ...(provider.api_version !== undefined && { apiVersion: provider.api_version }),
    ...(provider.forms !== undefined && { forms: provider.forms }),
    ...(provider.rerank !== undefined && { rerank: provider.rerank }),
    ...(aws !== undefined && {
      aws: {
        region: aws.region,
        ...(aws.access_key_id !== undefined && { accessKeyId: aws.access_key_id }),
        ...(aws.secret_access_key !== undefined && { secretAccessKey: new Secret(aws.secret_access_key) }),
        ...(aws.session_token !== undefined && { sessionToken: new Secret(aws.session_token) }),
      },
    }),
    ...(provider.idle_unload_s !== undefined && { idleUnloadMs: provider.idle_unload_s * 1_000 }),
    ...(provider.headers !== undefined && { headers: provider.headers }),
    ...(provider.models !== undefined && { models: provider.models }),
    ...(provider.endpoints !== undefined && { endpoints: endpointSettings(provider.endpoints, baseUrl) }),
    prices: Object.fromEntries(
      Object.entries(prices ?? {}).map(([model, price]): [string, Price] => [model, priceSettings(price)]),
    ),
    timeouts: {
      connectMs: timeouts?.connect_ms ?? TIMEOUTS.connectMs,
      firstByteMs: timeouts?.first_byte_ms ?? TIMEOUTS.firstByteMs,
      betweenDataMs: timeouts?.between_data_ms ?? TIMEOUTS.betweenDataMs,
    },
  };
}

/** A provider that cannot be built from what is given: where it is wrong, and what. */
export class ProviderProblem extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** Where vendors answer when the configuration names no address. */
const VENDOR_ADDRESSES: Partial<Record<RemoteWire, (region: string | undefined) => string | undefined>> = {
  openai: () => 'https://api.openai.com/v1',
  anthropic: () => 'https://api.anthropic.com',
  gemini: () => 'https://generativelanguage.googleapis.com/v1beta',
  cohere: () => 'https://api.cohere.com',
  ollama: () => 'http://127.0.0.1:11434',
  bedrock: (region) => (region === undefined ? undefined : `https://bedrock-runtime.${region}.amazonaws.com`),
};

/** A price in our own words. */
export function priceSettings(price: PriceConfig): Price {
  const parts = {
    cachedInputPerMillion: price.cached_input_per_million,
    cacheWritePerMillion: price.cache_write_per_million,
    longCacheWritePerMillion: price.long_cache_write_per_million,
    audioInputPerMillion: price.audio_input_per_million,
    audioOutputPerMillion: price.audio_output_per_million,
    imageInputPerMillion: price.image_input_per_million,
    imageOutputPerMillion: price.image_output_per_million,
    perThousandSearches: price.per_thousand_searches,
  };
  return {
    inputPerMillion: price.input_per_million,
    outputPerMillion: price.output_per_million,
    ...Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
  };
}

function endpointSettings(config: NonNullable<ProviderConfig['endpoints']>, baseUrl: string): EndpointSettings {
  const refreshMs = (config.refresh_s ?? 30) * 1_000;
  const scheme = baseUrl.startsWith('https:') ? ('https' as const) : ('http' as const);
  if ('list' in config) return { kind: 'list', origins: config.list.map((url) => new URL(url).origin), refreshMs };
  if ('dns' in config) return { kind: 'dns', host: config.dns, port: config.port, scheme, refreshMs };
  if ('srv' in config) return { kind: 'srv', name: config.srv, scheme, refreshMs };
  return {
    kind: 'consul',
    url: trimSlash(config.consul),
    service: config.service,
    ...(config.tag !== undefined && { tag: config.tag }),
    ...(config.token !== undefined && { token: new Secret(config.token) }),
    scheme,
    refreshMs,
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
