import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { Secret } from '../lib/secret.ts';
import type { Environment } from './env.ts';
import { readConfigFile, type ConfigProblem } from './file.ts';
import { localServerSettings, providerSettings, type ProviderSettings } from './provider-settings.ts';
import type { FileConfig, RetryConfig } from './schema.ts';

/** Everything the process was told, judged and with its defaults in place. */
export interface Settings {
  host: string;
  port: number;
  dataFolder: string;
  configPath: string | undefined;
  adminKey?: Secret;
  maxBodyBytes: number;
  providers: ProviderSettings[];
  localServers: ProviderSettings[];
  routes: { name: string; targets: readonly string[]; description?: string; retry?: RetrySettings }[];
  retry: RetrySettings;
  answerRoute: string;
  embeddingRoute: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  handbook: boolean;
  /** True where the upstream calls go through a proxy, so that reaching the host itself proves nothing. */
  proxied: boolean;
}

export interface RetrySettings {
  attempts: number;
  baseDelayMs: number;
  maxDelayMs: number;
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
  if (problems.length > 0) return { path: file.path ?? 'environment', problems };

  const retry = retryOf(config.retry, DEFAULT_RETRY);
  return {
    settings: {
      host: config.server?.host ?? environment.get('SEKISHO_HOST') ?? '127.0.0.1',
      port,
      dataFolder: absolute(overrides.dataFolder ?? environment.get('SEKISHO_DATA') ?? 'data'),
      configPath: file.path,
      ...(adminText !== undefined && { adminKey: new Secret(adminText) }),
      maxBodyBytes: config.server?.max_body_bytes ?? 32 * 1024 * 1024,
      providers: providerSettings(config, environment),
      localServers: localServerSettings(config, environment),
      routes: Object.entries(config.routes ?? {}).map(([name, route]) => {
        if (Array.isArray(route)) return { name, targets: route };
        return {
          name,
          targets: route.targets,
          ...(route.description !== undefined && { description: route.description }),
          ...(route.retry !== undefined && { retry: retryOf(route.retry, retry) }),
        };
      }),
      retry,
      answerRoute: config.answers?.route ?? 'extractive',
      embeddingRoute: config.embedding?.route ?? 'static-en-ja',
      logLevel: overrides.logLevel ?? level ?? config.logging?.level ?? overrides.usualLogLevel ?? 'info',
      handbook: config.handbook ?? true,
      proxied: ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].some((name) => environment.get(name)),
    },
  };
}

function retryOf(config: RetryConfig | undefined, defaults: RetrySettings): RetrySettings {
  return {
    attempts: config?.attempts ?? defaults.attempts,
    baseDelayMs: config?.base_delay_ms ?? defaults.baseDelayMs,
    maxDelayMs: config?.max_delay_ms ?? defaults.maxDelayMs,
  };
}

function absolute(path: string): string {
  const home = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
  return isAbsolute(home) ? home : join(process.cwd(), home);
}
