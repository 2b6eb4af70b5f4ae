import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { startSekishoProcess } from '../../test/support/start-server.ts';
import { startLiteLlm } from './litellm-side.ts';
import { startPortkey } from './portkey-side.ts';
import { MODELS } from './scenarios.ts';
import { CHAT_PATH, JSON_HEADERS, type Side } from './side.ts';

const HERE = import.meta.dirname;

/** The sides by name, in the order in which they take turns. */
export const SIDES: Record<string, (upstreamOrigin: string) => Promise<Side>> = {
  bare: startBare,
  sekisho: startSekishoSide,
  portkey: startPortkey,
  litellm: startLiteLlm,
};

/** Starts a Bun script of this folder that prints `{"port": ...}` in its first line. */
export async function startScript(name: string, environment: Record<string, string> = {}): Promise<Side> {
  const child = spawn(process.execPath, [join(HERE, name)], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let line = '';
  for await (const piece of child.stdout) {
    line += String(piece);
    if (line.includes('\n')) break;
  }
  return {
    name,
    port: Number(/"port":(\d+)/.exec(line)?.[1]),
    pid: child.pid ?? 0,
    path: CHAT_PATH,
    headersFor: () => JSON_HEADERS,
    can: () => true,
    share: 1,
    setup: `Bun ${Bun.version}`,
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The bare proxy in front of `upstreamOrigin`. It has no cache: what stands for a hit is a proxied call. */
async function startBare(upstreamOrigin: string): Promise<Side> {
  const side = await startScript('bare-proxy.ts', { UPSTREAM: upstreamOrigin, KEY: 'bench-key' });
  return { ...side, name: 'bare', headersFor: () => ({ ...JSON_HEADERS, authorization: 'Bearer bench-key' }) };
}

/** Sekisho as a user runs it, with a key that has limits and a budget, a priced model, ledger and metrics on. */
export async function startSekishoSide(upstreamOrigin: string): Promise<Side> {
  const price = { input_per_million: 0.15, output_per_million: 0.6 };
  const server = await startSekishoProcess({
    config: {
      discover: false,
      // What is measured is a gateway; the handbook would bring the index and the embedding model into memory.
      handbook: false,
      providers: {
        bench: {
          wire: 'openai',
          base_url: `${upstreamOrigin}/v1`,
          api_key: 'upstream',
          models: ['bench-model', 'bench-refused'],
          prices: { 'bench-model': price, 'bench-refused': price },
        },
      },
      routes: {
        [MODELS.plain]: ['bench/bench-model'],
        [MODELS.cached]: { targets: ['bench/bench-model'], cache: { ttl_s: 3_600 } },
        [MODELS.fallback]: { targets: ['bench/bench-refused', 'bench/bench-model'], retry: { attempts: 1 } },
      },
      // The target that refuses is to be called each time: a breaker would make the second call the first.
      breaker: { failure_share: 1, minimum_calls: 10_000, window_ms: 1_000 },
      // Small enough to be full early in the bench of growth.
      cache: { memory_mb: 16 },
      logging: { level: 'info' },
    },
  });
  const key = await server.createKey({
    name: 'bench',
    limits: { requestsPerMinute: 1_000_000, tokensPerMinute: 1_000_000_000, concurrency: 10_000, budgetMicros: 1e12 },
  });
  return {
    name: 'sekisho',
    port: Number(new URL(server.url).port),
    pid: server.pid,
    path: CHAT_PATH,
    headersFor: () => ({ ...JSON_HEADERS, authorization: `Bearer ${key}` }),
    can: () => true,
    share: 1,
    setup:
      `Bun ${Bun.version}; a key with limits on requests, tokens and concurrency and a budget, priced models, ledger ` +
      'in SQLite on disk, metrics, request log, health of targets',
    // Nothing of the bench is worth a drain.
    stop: server.kill,
  };
}
