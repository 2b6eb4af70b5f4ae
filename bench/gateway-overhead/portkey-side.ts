import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHAT_PATH, freePort, JSON_HEADERS, startServer, type Side } from './side.ts';

const PORTKEY_VERSION = '1.15.2';
/** With later ones every stream of Portkey's fails with "TypeError: immutable" (Portkey-AI/gateway issue 1389). */
const HONO_NODE_SERVER_VERSION = '1.13.0';

/** Portkey's gateway on Node, from npm into a folder of its own under the system's temporary folder. */
export async function startPortkey(upstreamOrigin: string): Promise<Side> {
  const folder = join(tmpdir(), `sekisho-bench-portkey-${PORTKEY_VERSION}-${HONO_NODE_SERVER_VERSION}`);
  const script = join(folder, 'node_modules/@portkey-ai/gateway/build/start-server.js');
  if (!existsSync(script)) {
    mkdirSync(folder, { recursive: true });
    const dependencies = { '@portkey-ai/gateway': PORTKEY_VERSION, '@hono/node-server': HONO_NODE_SERVER_VERSION };
    const overrides = { '@hono/node-server': HONO_NODE_SERVER_VERSION };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies, overrides }));
    const install = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
    if (install.status !== 0) throw new Error(`npm install failed: ${install.stderr.toString().slice(0, 500)}`);
  }
  const port = freePort();
  const server = await startServer(['node', script, '--headless', `--port=${port}`], {
    port,
    readyPath: '/',
    environment: { NODE_ENV: 'production', TRUSTED_CUSTOM_HOSTS: 'localhost,127.0.0.1' },
  });
  const target = { provider: 'openai', api_key: 'upstream', custom_host: `${upstreamOrigin}/v1` };
  const plain = {
    ...JSON_HEADERS,
    authorization: 'Bearer upstream',
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': target.custom_host,
  };
  const configured = (config: object) => ({ ...JSON_HEADERS, 'x-portkey-config': JSON.stringify(config) });
  const fallback = configured({
    strategy: { mode: 'fallback', on_status_codes: [503] },
    targets: [
      { ...target, override_params: { model: 'bench-refused' } },
      { ...target, override_params: { model: 'bench-model' } },
    ],
  });
  return {
    name: 'portkey',
    port,
    path: CHAT_PATH,
    headersFor: (kind) => (kind === 'fallback' ? fallback : plain),
    // Its cache is not part of the open-source edition.
    can: (kind) => kind !== 'cached',
    share: 0.5,
    setup: `@portkey-ai/gateway ${PORTKEY_VERSION} on Node ${nodeVersion()}; no keys, limits or ledger`,
    ...server,
  };
}

function nodeVersion(): string {
  return spawnSync('node', ['--version']).stdout.toString().trim();
}
