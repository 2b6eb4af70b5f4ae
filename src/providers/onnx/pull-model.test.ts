import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tinyModelFiles } from '../../../test/support/onnx/tiny-model.ts';
import { createOnnxProvider } from './onnx-provider.ts';
import { pullModel, type PullOptions } from './pull-model.ts';

const COMMIT = 'c0ffee'.repeat(6);
const FILES = new Map([
  ...tinyModelFiles({ kind: 'embedding', words: { gate: [3, 4], river: [0, 2] } }),
  ['onnx/model_quantized.onnx', Buffer.from('smaller')] as const,
  ['README.md', Buffer.from('not wanted')] as const,
  ['pytorch_model.bin', Buffer.from('not wanted')] as const,
]);

/** What the hub does to a file beside giving it as it is. */
let harm: (name: string, content: Uint8Array) => Uint8Array<ArrayBuffer> | undefined = () => undefined;
const asked: string[] = [];
const hub = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch: ({ url }) => {
    const { pathname } = new URL(url);
    asked.push(pathname);
    if (pathname === '/api/models/someone/tiny-gate/revision/main') {
      return Response.json({
        sha: COMMIT,
        siblings: [...FILES].map(([rfilename, content]) => ({
          rfilename,
          size: content.length,
          ...(rfilename.endsWith('.onnx') && {
            lfs: { sha256: createHash('sha256').update(content).digest('hex') },
          }),
        })),
      });
    }
    const name = pathname.split(`/someone/tiny-gate/resolve/${COMMIT}/`)[1] ?? '';
    const content = FILES.get(name);
    if (content === undefined) return new Response('no such file', { status: 404 });
    return new Response(harm(name, content) ?? new Uint8Array(content));
  },
});
afterAll(() => hub.stop(true));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sekisho-pull-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  harm = () => undefined;
  asked.length = 0;
});

const options = (more: Partial<PullOptions> = {}): PullOptions => ({
  repository: 'someone/tiny-gate',
  folder,
  hub: `http://127.0.0.1:${hub.port}`,
  signal: new AbortController().signal,
  ...more,
});
const problemOf = async (more: Partial<PullOptions>): Promise<string> =>
  pullModel(options(more)).then(
    () => 'none',
    (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  );

describe('a model of the hub', () => {
  test('is fetched with what it needs and nothing else, and runs', async () => {
    const seen: number[][] = [];
    const model = await pullModel(options({ onProgress: (done, total) => seen.push([done, total]) }));
    expect(model).toMatchObject({ name: 'tiny-gate', kind: 'embedding' });
    expect(asked.some((path) => path.includes('README') || path.includes('.bin') || path.includes('quantized'))).toBe(
      false,
    );
    expect(seen.at(-1)?.[0]).toBe(seen.at(-1)?.[1] ?? -1);
    const provider = createOnnxProvider({ name: 'local', folder });
    const { signal } = new AbortController();
    const answer = await provider.embed?.({ model: 'tiny-gate', target: 't', signal, request: { input: ['gate'] } });
    expect([...(answer?.result().vectors[0] ?? [])].map((value) => +value.toFixed(2))).toEqual([0.6, 0.8]);
    provider.close();
  });

  test('another file of it may be asked for by name', async () => {
    await pullModel(options({ file: 'onnx/model_quantized.onnx' }));
    expect(readdirSync(join(folder, 'tiny-gate/onnx'))).toEqual(['model_quantized.onnx']);
    await pullModel(options());
  });

  test.each([
    ['a file cut short', (content: Uint8Array) => content.slice(0, -1), /bytes in place of/],
    ['a file with more in it', (content: Uint8Array) => Buffer.concat([content, content]), /bytes in place of/],
    ['other weights of the same size', (content: Uint8Array) => content.map((byte) => byte ^ 1), /hash differs/],
  ])('%s replaces nothing', async (_, change, problem) => {
    harm = (name, content) => (name.endsWith('.onnx') ? new Uint8Array(change(content)) : undefined);
    expect(await problemOf({})).toMatch(problem);
    expect(existsSync(join(folder, 'tiny-gate/onnx/model.onnx'))).toBe(true);
    expect(readdirSync(folder)).toEqual(['tiny-gate']);
  });

  test('names that are none, models that are not there, hubs that do not answer', async () => {
    for (const repository of ['gate', '../../etc/passwd', 'a/..', 'a/b/c', 'a/b?x', ''])
      expect(await problemOf({ repository })).toContain('owner/name');
    expect(await problemOf({ repository: 'someone/other' })).toContain('404');
    expect(await problemOf({ file: 'onnx/other.onnx' })).toContain('It has: onnx/model.onnx');
    expect(await problemOf({ hub: 'http://127.0.0.1:1' })).toContain('cannot be reached');
  });

  test('giving up leaves nothing behind', async () => {
    const stop = new AbortController();
    const problem = await problemOf({ signal: stop.signal, onProgress: () => stop.abort() });
    expect(problem).not.toBe('none');
    expect(readdirSync(folder)).toEqual(['tiny-gate']);
  });
});
