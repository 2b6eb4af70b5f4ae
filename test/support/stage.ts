import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { arrayAt, isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { startFakeProvider, type FakeProvider } from './fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from './read-ledger.ts';
import { startSekisho, type TestServer } from './start-server.ts';

/** A running Sekisho with two fake upstreams behind it, and what a test needs to talk to all three. */
export interface Stage {
  upstream: FakeProvider;
  spare: FakeProvider;
  server: TestServer;
  ledger: LedgerReader;
  openai: OpenAI;
  anthropic: Anthropic;
  /** POST of JSON with the administrator's key, without any SDK. */
  post(
    path: string,
    body: object,
    init?: { signal?: AbortSignal; headers?: Record<string, string> },
  ): Promise<Response>;
  /** Forgets what the upstreams recorded and were told. */
  reset(): void;
  /** Forgets what the server holds against its targets: breakers and Retry-After. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** The credential that the configuration gives to every upstream; it must never come back to a caller. */
export const CREDENTIAL = 'sk-upstream-credential-4711';

/** How long the provider `hasty` waits; every other one waits for as long as the defaults say. */
export const HASTY_MS = 120;

/** How long a test may reasonably wait for one such timer. */
export const HASTY_LIMIT_MS = HASTY_MS * 25;

/** The name by which Bedrock knows the model of the route `bedrock`. */
export const BEDROCK_MODEL = 'anthropic.claude-sonnet-4-5-20250929-v1:0';

const PRICES = {
  'gpt-4o-mini': { input_per_million: 0.15, cached_input_per_million: 0.075, output_per_million: 0.6 },
  'claude-sonnet-4-5': { input_per_million: 3, cached_input_per_million: 0.3, output_per_million: 15 },
  'text-embedding-3-small': { input_per_million: 0.02, output_per_million: 0 },
  'gemini-2.5-flash': { input_per_million: 0.3, cached_input_per_million: 0.03, output_per_million: 2.5 },
  [BEDROCK_MODEL]: { input_per_million: 3, cached_input_per_million: 0.3, output_per_million: 15 },
};

/**
 * Routes: `fast` (openai wire), `sonnet` (anthropic wire), `hasty` and `hasty-sonnet` (the same with tiny
 * timeouts), `backed` (fast, then the spare), `hasty-backed`, `crossed` (fast, then anthropic), `embed`, `free`
 * (a model without a price), `forms` (the openai wire where it takes responses and completions as they are),
 * `hasty-forms`, `gemini`, `bedrock`, `hasty-gemini`, `hasty-bedrock`.
 */
export async function startStage(): Promise<Stage> {
  const upstream = await startFakeProvider();
  const spare = await startFakeProvider();
  const timeouts = { connect_ms: HASTY_MS, first_byte_ms: HASTY_MS, between_data_ms: HASTY_MS };
  const openaiWire = { wire: 'openai' as const, api_key: CREDENTIAL, prices: PRICES };
  const geminiWire = {
    wire: 'gemini' as const,
    api_key: CREDENTIAL,
    prices: PRICES,
    base_url: `${upstream.origin}/v1beta`,
    models: ['gemini-2.5-flash'],
  };
  const bedrockWire = {
    wire: 'bedrock' as const,
    api_key: CREDENTIAL,
    prices: PRICES,
    base_url: upstream.origin,
    aws: { region: 'us-east-1' },
    models: [BEDROCK_MODEL],
  };
  const anthropicWire = { wire: 'anthropic' as const, api_key: CREDENTIAL, prices: PRICES, base_url: upstream.baseUrl };
  const models = ['gpt-4o-mini', 'text-embedding-3-small'];
  const server = await startSekisho({
    config: {
      discover: false,
      handbook: false,
      retry: { attempts: 2, base_delay_ms: 1, max_delay_ms: 20 },
      // One test after the other breaks the same targets; none may find them ill from the one before.
      breaker: { minimum_calls: 10_000 },
      providers: {
        up: { ...openaiWire, base_url: upstream.baseUrl, models },
        spare: { ...openaiWire, base_url: spare.baseUrl, models },
        hasty: { ...openaiWire, base_url: upstream.baseUrl, models, timeouts },
        forms: { ...openaiWire, base_url: upstream.baseUrl, models, forms: ['responses', 'completions'] },
        'hasty-forms': { ...openaiWire, base_url: upstream.baseUrl, models, forms: ['responses'], timeouts },
        google: geminiWire,
        'hasty-google': { ...geminiWire, timeouts },
        amazon: bedrockWire,
        'hasty-amazon': { ...bedrockWire, timeouts },
        claude: { ...anthropicWire, models: ['claude-sonnet-4-5'] },
        'hasty-claude': { ...anthropicWire, models: ['claude-sonnet-4-5'], timeouts },
        nowhere: { ...openaiWire, base_url: 'http://127.0.0.1:1/v1', models },
      },
      routes: {
        fast: ['up/gpt-4o-mini'],
        sonnet: ['claude/claude-sonnet-4-5'],
        hasty: ['hasty/gpt-4o-mini'],
        'hasty-sonnet': ['hasty-claude/claude-sonnet-4-5'],
        backed: ['up/gpt-4o-mini', 'spare/gpt-4o-mini'],
        'hasty-backed': ['hasty/gpt-4o-mini', 'spare/gpt-4o-mini'],
        'nowhere-backed': ['nowhere/gpt-4o-mini', 'spare/gpt-4o-mini'],
        nowhere: ['nowhere/gpt-4o-mini'],
        crossed: ['up/gpt-4o-mini', 'claude/claude-sonnet-4-5'],
        embed: ['up/text-embedding-3-small'],
        free: ['up/unpriced-model'],
        forms: ['forms/gpt-4o-mini'],
        'hasty-forms': ['hasty-forms/gpt-4o-mini'],
        gemini: ['google/gemini-2.5-flash'],
        'hasty-gemini': ['hasty-google/gemini-2.5-flash'],
        bedrock: [`amazon/${BEDROCK_MODEL}`],
        'hasty-bedrock': [`hasty-amazon/${BEDROCK_MODEL}`],
      },
      logging: { level: 'silent' },
    },
  });
  const ledger = openLedger(server.dataFolder);
  return {
    upstream,
    spare,
    server,
    ledger,
    openai: new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.adminKey, maxRetries: 0 }),
    anthropic: new Anthropic({ baseURL: server.url, apiKey: server.adminKey, maxRetries: 0 }),
    post: (path, body, init = {}) =>
      fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}`, ...init.headers },
        body: JSON.stringify(body),
        ...(init.signal ? { signal: init.signal } : {}),
      }),
    reset: () => {
      upstream.reset();
      spare.reset();
    },
    heal: async () => {
      const headers = { authorization: `Bearer ${server.adminKey}` };
      const health = await fetch(`${server.url}/v1/targets/health`, { headers });
      const targets = arrayAt(JSON.parse(await health.text()) as JsonObject, 'data').filter(isJsonObject);
      for (const { target } of targets) {
        await fetch(`${server.url}/v1/targets/${String(target)}/reset`, { method: 'POST', headers });
      }
    },
    stop: async () => {
      ledger.close();
      await server.stop();
      await Promise.all([upstream.stop(), spare.stop()]);
    },
  };
}
