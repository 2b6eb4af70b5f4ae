import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { freePort } from '../free-port.ts';

const BINARY = process.env['SEKISHO_TEST_MLSERVER'] ?? '';

/** Whether an MLServer (PyPI: mlserver) is named to the tests; those that need one skip, and say so, otherwise. */
export const mlserverAvailable = existsSync(BINARY);
export const mlserverMissing = mlserverAvailable ? '' : ' (skipped: SEKISHO_TEST_MLSERVER names no mlserver)';

/** A real server of the Open Inference Protocol, in a process of its own. */
export interface MlServer {
  url: string;
  ready(model: string): Promise<boolean>;
  /** SIGKILL. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

const MODELS = [
  { name: 'echo', runtime: 'Echo', input: 'text_input', output: 'text_output', datatype: 'BYTES', width: 1 },
  { name: 'meaning', runtime: 'Meaning', input: 'text', output: 'embedding', datatype: 'FP32', width: 3 },
];

/** Starts MLServer with the two models of runtimes.py on free ports of the loopback. */
export async function startMlServer(): Promise<MlServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sekisho-mlserver-'));
  const [http_port, grpc_port, metrics_port] = await Promise.all([freePort(), freePort(), freePort()]);
  const settings = { host: '127.0.0.1', http_port, grpc_port, metrics_port, parallel_workers: 0 };
  writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings));
  for (const { name, runtime, input, output, datatype, width } of MODELS) {
    mkdirSync(join(folder, name));
    const model = {
      name,
      implementation: `runtimes.${runtime}`,
      platform: 'python',
      inputs: [{ name: input, datatype: 'BYTES', shape: [-1, 1] }],
      outputs: [{ name: output, datatype, shape: [-1, width] }],
    };
    writeFileSync(join(folder, name, 'model-settings.json'), JSON.stringify(model));
  }
  const child = Bun.spawn([BINARY, 'start', folder], {
    env: { PATH: process.env['PATH'], HOME: folder, PYTHONPATH: import.meta.dirname },
    stdout: 'ignore',
    stderr: 'ignore',
  });
  const url = `http://127.0.0.1:${http_port}`;
  const ready = async (model: string): Promise<boolean> =>
    (await fetch(`${url}/v2/models/${model}/ready`).catch(() => undefined))?.ok === true;
  await eventually('MLServer is ready', async () => (await ready('echo')) && (await ready('meaning')), 60_000);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await child.exited;
  };
  return {
    url,
    ready,
    kill,
    stop: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
