import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { Secret } from '../lib/secret.ts';
import type { LimitScope, Limits } from '../spec/limits.ts';
import type { Environment } from './env.ts';
import { readConfigFile, type ConfigProblem } from './file.ts';
import { jobSettings, type JobSettings } from './job-settings.ts';
import { localServerSettings, ProviderProblem, providerSettings, type ProviderSettings } from './provider-settings.ts';
import { limitsOf } from './limits-schema.ts';
import {
  retrySettings,
  routeSettings,
  targetPolicySettings,
  type RetrySettings,
  type RouteSettings,
  type TargetPolicySettings,
} from './route-settings.ts';
import { POSTGRES_URL, type FileConfig } from './schema.ts';
import { telemetrySettings, type LogSinkSettings, type TracingSettings } from './telemetry-settings.ts';

/** Everything the process was told, judged and with its defaults in place. */
export interface Settings {
  host: string;
  port: number;
  dataFolder: string;
  configPath: string | undefined;
  adminKey?: Secret;
  maxBodyBytes: number;
  /** What a body may take, beside a second for every 64 KiB of it. */
  bodyTimeoutMs: number;
  /** How long a connection without a valid key may be silent, in seconds. */
  idleTimeoutS: number;
  /** Hosts that providers made over the API may name, beside the known vendors. */
  upstreamHosts: readonly string[];
  /** What sources may reach: folders with everything below, and hosts with private addresses. */
  sources: { folders: readonly string[]; hosts: readonly string[] };
  /** What seals credentials in the database; absent: a key that the data folder keeps. */
  masterKey?: Secret;
  providers: ProviderSettings[];
  localServers: ProviderSettings[];
  routes: RouteSettings[];
  /** By `provider/model` or `provider/*`. */
  targets: ReadonlyMap<string, TargetPolicySettings>;
  limits: Record<LimitScope, ReadonlyMap<string, Limits>>;
  retry: RetrySettings;
  /** Retries of the process as a share of its calls, at most. */
  retryShare: number;
  breaker: { failureShare: number; minimumCalls: number; windowMs: number; openMs: number };
  /** Absent: endpoints are not asked unless a call goes there. */
  healthIntervalMs?: number;
  /** Absent: the state is in the data folder. */
  database?: { url: Secret; maxConnections: number; statementTimeoutMs: number };
  redis?: { url: Secret; prefix: string; whenDown: 'count-alone' | 'refuse' };
  cache: { memoryBytes: number; defaultTtlMs: number; embeddings: boolean };
  batching: { waitMs: number; maxInputs: number };
  logSinks?: LogSinkSettings[];
  tracing?: TracingSettings;
  jobs: JobSettings;
  answerRoute: string;
  embeddingRoute: string;
  /** How far nDCG may fall when a new index takes the place of the old. */
  maxDrop: number;
  /** Where local models lie, a folder each. */
  modelsFolder: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  handbook: boolean;
  /** True where the upstream calls go through a proxy, so that reaching the host itself proves nothing. */
  proxied: boolean;
}

/** Settings that the caller of the process gives beside file and environment. */
export interface SettingsOverrides {
  port?: number;
  dataFolder?: string;
  configPath?: string;
  /** A configuration given as an object, in place of the file. */
  config?: FileConfig;
  logLevel?: Settings['logLevel'];
  /** The level where neither environment nor file names one. */
  usualLogLevel?: Settings['logLevel'];
}

export type SettingsAnswer = { settings: Settings } | { path: string; problems: ConfigProblem[] };

export const DEFAULT_PORT = 8910;
const DEFAULT_RETRY: RetrySettings = { attempts: 2, baseDelayMs: 250, maxDelayMs: 8_000 };
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/**
 * The settings of the process: overrides before environment before file before defaults.
 * The answer is either settings or every problem at once.
 */
export function readSettings(environment: Environment, overrides: SettingsOverrides = {}): SettingsAnswer {
  const file =
    overrides.config === undefined
      ? readConfigFile({ path: overrides.configPath ?? environment.get('SEKISHO_CONFIG'), environment })
      : { path: undefined, config: overrides.config };
  if ('problems' in file) return file;
  const { config } = file;
  const problems: ConfigProblem[] = [];

  const portText = environment.get('PORT');
  const port = overrides.port ?? (portText === undefined ? (config.server?.port ?? DEFAULT_PORT) : Number(portText));
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    problems.push({ path: 'PORT', message: `"${portText}" is not a port: a whole number from 0 to 65535.` });
  }
  const levelText = environment.get('SEKISHO_LOG_LEVEL');
  const level = LOG_LEVELS.find((each) => each === levelText);
  if (levelText !== undefined && level === undefined) {
    problems.push({ path: 'SEKISHO_LOG_LEVEL', message: `"${levelText}" is none of ${LOG_LEVELS.join(', ')}.` });
  }
  const adminText = environment.get('SEKISHO_ADMIN_KEY');
  if (adminText !== undefined && adminText.length < 16) {
    problems.push({ path: 'SEKISHO_ADMIN_KEY', message: 'A key of fewer than 16 characters can be guessed.' });
  }
  const masterText = environment.get('SEKISHO_MASTER_KEY');
  if (masterText !== undefined && masterText.length < 32) {
    problems.push({ path: 'SEKISHO_MASTER_KEY', message: 'A key of fewer than 32 characters can be guessed.' });
  }
  const databaseUrl = config.database?.url ?? environment.get('DATABASE_URL');
  if (databaseUrl !== undefined && !POSTGRES_URL.test(databaseUrl)) {
    problems.push({ path: 'DATABASE_URL', message: 'The address must begin with postgres:// or postgresql://.' });
  }
  if (problems.length > 0) return { path: file.path ?? 'environment', problems };

  let providers: ProviderSettings[];
  try {
    providers = providerSettings(config, environment);
  } catch (thrown) {
    if (!(thrown instanceof ProviderProblem)) throw thrown;
    return { path: file.path ?? 'environment', problems: [{ path: thrown.path, message: thrown.message }] };
  }
  const retry = retrySettings(config.retry, DEFAULT_RETRY);
  const dataFolder = absolute(overrides.dataFolder ?? environment.get('SEKISHO_DATA') ?? 'data');
  const redisUrl = config.redis?.url ?? environment.get('REDIS_URL');
  return {
    settings: {
      host: config.server?.host ?? environment.get('SEKISHO_HOST') ?? '127.0.0.1',
      port,
      dataFolder,
      configPath: file.path,
      ...(adminText !== undefined && { adminKey: new Secret(adminText) }),
      maxBodyBytes: config.server?.max_body_bytes ?? 32 * 1024 * 1024,
      bodyTimeoutMs: (config.server?.body_timeout_s ?? 30) * 1_000,
      idleTimeoutS: config.server?.idle_timeout_s ?? 60,
      upstreamHosts: config.server?.upstream_hosts ?? [],
      sources: {
        folders: config.sources?.folders?.map(absolute) ?? [join(dataFolder, 'inbox')],
        hosts: config.sources?.hosts ?? [],
      },
      ...(masterText !== undefined && { masterKey: new Secret(masterText) }),
      providers,
      localServers: localServerSettings(config, environment),
      routes: Object.entries(config.routes ?? {}).map(([name, route]) => routeSettings(name, route, retry)),
      targets: new Map(
        Object.entries(config.targets ?? {}).map(([name, policy]) => [name, targetPolicySettings(policy)]),
      ),
      limits: limitBooks(config.limits),
      retry,
      retryShare: config.retry?.share ?? 0.1,
      breaker: {
        failureShare: config.breaker?.failure_share ?? 0.5,
        minimumCalls: config.breaker?.minimum_calls ?? 10,
        windowMs: config.breaker?.window_ms ?? 10_000,
        openMs: config.breaker?.open_ms ?? 5_000,
      },
      ...(config.health?.interval_s !== undefined && { healthIntervalMs: config.health.interval_s * 1_000 }),
      ...(databaseUrl !== undefined && {
        database: {
          url: new Secret(databaseUrl),
          maxConnections: config.database?.max_connections ?? 10,
          statementTimeoutMs: config.database?.statement_timeout_ms ?? 5_000,
        },
      }),
      ...(redisUrl !== undefined && {
        redis: {
          url: new Secret(redisUrl),
          prefix: config.redis?.prefix ?? 'sekisho:',
          whenDown: config.redis?.when_down ?? 'count-alone',
        },
      }),
      cache: {
        memoryBytes: (config.cache?.memory_mb ?? 64) * 1024 * 1024,
        defaultTtlMs: (config.cache?.ttl_s ?? 3_600) * 1_000,
        embeddings: config.cache?.embeddings ?? true,
      },
      batching: { waitMs: config.batching?.wait_ms ?? 3, maxInputs: config.batching?.max_inputs ?? 256 },
      ...telemetrySettings(config),
      jobs: jobSettings(config.jobs, redisUrl !== undefined),
      answerRoute: config.answers?.route ?? 'extractive',
      embeddingRoute: config.embedding?.route ?? 'static-en-ja',
      maxDrop: config.evaluation?.max_drop ?? 0.02,
      modelsFolder: absolute(config.models?.folder ?? join(dataFolder, 'models')),
      logLevel: overrides.logLevel ?? level ?? config.logging?.level ?? overrides.usualLogLevel ?? 'info',
      handbook: config.handbook ?? true,
      proxied: ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].some((name) => environment.get(name)),
    },
  };
}

/** Limits by subject: the file's plural sections in the words of the scopes. */
function limitBooks(config: FileConfig['limits']): Settings['limits'] {
  const book = (section: NonNullable<FileConfig['limits']>['teams']): ReadonlyMap<string, Limits> =>
    new Map(Object.entries(section ?? {}).map(([subject, limits]) => [subject, limitsOf(limits)]));
  return {
    tenant: book(config?.tenants),
    team: book(config?.teams),
    key: book(config?.keys),
    user: book(config?.users),
    route: book(config?.routes),
    target: book(config?.targets),
  };
}

function absolute(path: string): string {
  const home = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  return isAbsolute(home) ? home : join(process.cwd(), home);
}
