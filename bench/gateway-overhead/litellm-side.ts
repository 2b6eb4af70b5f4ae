import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODELS } from './scenarios.ts';
import { CHAT_PATH, freePort, JSON_HEADERS, startServer, type Side } from './side.ts';

const LITELLM_VERSION = '1.106.2';
const KEY = 'sk-bench-master';

/** LiteLLM's proxy, one worker, from PyPI into a virtual environment under the system's temporary folder. */
export async function startLiteLlm(upstreamOrigin: string): Promise<Side> {
  const folder = join(tmpdir(), `sekisho-bench-litellm-${LITELLM_VERSION}`);
  const program = join(folder, 'bin/litellm');
  if (!existsSync(program)) {
    for (const [command, ...args] of [
      ['python3', '-m', 'venv', folder],
      [join(folder, 'bin/pip'), 'install', '--quiet', `litellm[proxy]==${LITELLM_VERSION}`],
    ]) {
      const done = spawnSync(command ?? '', args);
      if (done.status !== 0) throw new Error(`${command} failed: ${done.stderr.toString().slice(-500)}`);
    }
  }
  const model = (name: string, upstreamModel: string, more: object = {}) => ({
    model_name: name,
    litellm_params: {
      model: `openai/${upstreamModel}`,
      api_base: `${upstreamOrigin}/v1`,
      api_key: 'upstream',
      ...more,
    },
  });
  const config = {
    model_list: [
      model(MODELS.plain, 'bench-model'),
      model(MODELS.cached, 'bench-model'),
      model(MODELS.fallback, 'bench-refused', { max_retries: 0 }),
    ],
    litellm_settings: {
      num_retries: 0,
      telemetry: false,
      // Only calls that ask for it are cached.
      cache: true,
      cache_params: { type: 'local', mode: 'default_off' },
    },
    router_settings: {
      fallbacks: [{ [MODELS.fallback]: [MODELS.plain] }],
      disable_cooldowns: true,
      num_retries: 0,
    },
    general_settings: { master_key: KEY },
  };
  mkdirSync(folder, { recursive: true });
  const configFile = join(folder, 'bench.yaml');
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config));
  const port = freePort();
  const command = [
    program,
    '--config',
    configFile,
    '--port',
    String(port),
    '--host',
    '127.0.0.1',
    '--num_workers',
    '1',
  ];
  const server = await startServer(command, {
    port,
    readyPath: '/health/liveliness',
    environment: {
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      LITELLM_LOG: 'ERROR',
      NO_DOCS: 'True',
      PATH: `${folder}/bin:${process.env['PATH'] ?? ''}`,
    },
    cwd: folder,
  });
  return {
    name: 'litellm',
    port,
    path: CHAT_PATH,
    headersFor: () => ({ ...JSON_HEADERS, authorization: `Bearer ${KEY}` }),
    bodyFor: (kind) => (kind === 'cached' ? { cache: { 'use-cache': true, ttl: 3_600 } } : {}),
    can: () => true,
    share: 0.06,
    setup: `litellm[proxy] ${LITELLM_VERSION}, one worker; a master key, no database, so no budgets or ledger`,
    ...server,
  };
}
