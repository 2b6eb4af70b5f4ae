import { existsSync } from 'node:fs';
import { eventually } from '../eventually.ts';
import { freePort } from '../free-port.ts';

const BINARY = process.env['SEKISHO_TEST_LLAMA_SERVER'] ?? '';
const MODEL = process.env['SEKISHO_TEST_LLAMA_MODEL'] ?? '';

/** Whether a llama-server and a model (GGUF) are named to the tests; those that need them skip, and say so, otherwise. */
export const llamaAvailable = existsSync(BINARY) && existsSync(MODEL);
export const llamaMissing = llamaAvailable
  ? ''
  : ' (skipped: SEKISHO_TEST_LLAMA_SERVER and SEKISHO_TEST_LLAMA_MODEL name no server and model)';

/**
 * A real llama.cpp server, in a process of its own. Its source comes from PyPI (the sdist of llama-cpp-python holds
 * llama.cpp whole; `cmake --build … --target llama-server`), a model of random weights from tiny_model.py.
 */
export async function startLlamaServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const words = ['--host', '127.0.0.1', '--port', String(port), '-m', MODEL, '-c', '2048', '-t', '1', '--jinja'];
  const child = Bun.spawn([BINARY, ...words], { stdout: 'ignore', stderr: 'ignore' });
  const url = `http://127.0.0.1:${port}`;
  await eventually('llama-server is ready', async () => (await fetch(`${url}/health`)).ok, 60_000);
  return {
    url,
    stop: async () => {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}
