import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyModel } from '../../../test/support/onnx/tiny-model.ts';
import type { EmbeddingRequest } from '../../spec/embedding.ts';
import { createOnnxProvider, type OnnxProvider } from './onnx-provider.ts';

const WORDS = { gate: [3, 4], river: [0, 2], query: [1, 0], 関: [0, 5] };
let folder: string;
let provider: OnnxProvider;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sekisho-onnx-'));
  writeTinyModel(join(folder, 'plain'), { kind: 'embedding', words: WORDS, maxTokens: 6 });
  writeTinyModel(join(folder, 'asks'), {
    kind: 'embedding',
    words: WORDS,
    files: {
      'config_sentence_transformers.json': { prompts: { query: 'query ', document: '' } },
      '1_Pooling/config.json': { pooling_mode_cls_token: false, pooling_mode_lasttoken: true },
    },
  });
  writeTinyModel(join(folder, 'judge'), { kind: 'rerank', words: { gate: [2], river: [1], query: [0] } });
  writeTinyModel(join(folder, 'broken'), { kind: 'embedding', words: WORDS });
  writeFileSync(join(folder, 'broken/onnx/model.onnx'), 'no model');
  mkdirSync(join(folder, 'empty'));
  provider = createOnnxProvider({ name: 'local', folder });
});
afterAll(() => {
  provider.close();
  rmSync(folder, { recursive: true });
});

const call = (model: string, request: EmbeddingRequest, signal = new AbortController().signal) =>
  provider.embed?.({ model, target: `local/${model}`, signal, request });
const vectorsOf = async (model: string, request: EmbeddingRequest): Promise<number[][]> =>
  ((await call(model, request))?.result().vectors ?? []).map((vector) => [...vector].map((value) => +value.toFixed(3)));

describe('models of a folder', () => {
  test('are told by their files; a folder without one is none', () => {
    expect(provider.models().map(({ name, kind, maxTokens, pooling }) => [name, kind, maxTokens, pooling])).toEqual([
      ['asks', 'embedding', 32, 'last'],
      ['broken', 'embedding', 32, 'mean'],
      ['judge', 'rerank', 32, 'mean'],
      ['plain', 'embedding', 6, 'mean'],
    ]);
    expect(provider.fingerprintOf('local/plain')).toMatch(/^local\/plain@\d+-\d+$/);
    expect(provider.fingerprintOf('local/empty')).toBeUndefined();
  });

  test('a folder that is not there has none', () => {
    expect(createOnnxProvider({ name: 'local', folder: join(folder, 'nowhere') }).models()).toEqual([]);
  });
});

describe('embedding', () => {
  test('gives unit vectors of the mean of the tokens, each text in its place, whatever its length', async () => {
    const input = ['gate river gate', 'river', '関', ''];
    expect(await vectorsOf('plain', { input })).toEqual([
      [+(6 / Math.hypot(6, 10)).toFixed(3), +(10 / Math.hypot(6, 10)).toFixed(3)],
      [0, 1],
      [0, 1],
      [0, 0],
    ]);
  });

  test('counts the tokens that the model saw, and cuts what is too long for it', async () => {
    const answer = await call('plain', { input: ['gate', 'river '.repeat(100)] });
    expect(answer?.usage).toMatchObject({ inputTokens: 3 + 6, basis: 'reported' });
  });

  test('puts the prefix of the model before questions and before documents', async () => {
    // Pooled by the last token, which is [SEP]: only the count tells that a prefix was there.
    const asked = await call('asks', { input: ['gate'], purpose: 'query' });
    const kept = await call('asks', { input: ['gate'], purpose: 'document' });
    expect([asked?.usage.inputTokens, kept?.usage.inputTokens]).toEqual([4, 3]);
  });

  test('many texts at once and many callers at once get their own', async () => {
    const words = ['gate', 'river', '関'];
    const inputs = Array.from({ length: 20 }, (_, caller) =>
      Array.from({ length: 70 }, (__, at) => words[(caller + at) % 3] ?? ''),
    );
    const singles = await vectorsOf('plain', { input: words });
    const all = await Promise.all(inputs.map((input) => vectorsOf('plain', { input })));
    all.forEach((vectors, caller) =>
      vectors.forEach((vector, at) => expect(vector).toEqual(singles[(caller + at) % 3] ?? [])),
    );
  });

  test('a caller who has left is told so, and the model goes on serving', async () => {
    const stop = new AbortController();
    const asked = call('plain', { input: ['gate'] }, stop.signal);
    stop.abort();
    await expect(asked).rejects.toMatchObject({ code: 'caller_left' });
    expect(await vectorsOf('plain', { input: ['river'] })).toEqual([[0, 1]]);
  });
});

describe('reranking', () => {
  test('scores each document, the best first', async () => {
    const answer = await provider.rerank?.({
      model: 'judge',
      target: 'local/judge',
      signal: new AbortController().signal,
      request: { query: 'query', documents: ['nothing', 'gate gate', 'river', 'gate'], topN: 3 },
    });
    expect(answer?.results.map(({ index }) => index)).toEqual([1, 3, 2]);
    expect(answer?.results[0]?.score).toBeCloseTo(1 / (1 + Math.exp(-4)), 4);
    expect(answer?.usage.inputTokens).toBeGreaterThan(12);
  });
});

describe('what cannot be done is said', () => {
  test('a model that is not there, or of the other kind', async () => {
    await expect(call('nowhere', { input: ['x'] })).rejects.toMatchObject({ code: 'upstream_not_found' });
    await expect(call('judge', { input: ['x'] })).rejects.toMatchObject({ code: 'upstream_not_found' });
  });

  test('a damaged model, again and again, until its folder is mended', async () => {
    for (let at = 0; at < 2; at++) {
      await expect(call('broken', { input: ['gate'] })).rejects.toMatchObject({ code: 'upstream_broken' });
    }
    writeTinyModel(join(folder, 'broken'), { kind: 'embedding', words: WORDS });
    expect(await vectorsOf('broken', { input: ['river'] })).toEqual([[0, 1]]);
  });

  test('dimensions', async () => {
    const asked = call('plain', { input: ['x'], dimensions: 1 });
    await expect(asked).rejects.toMatchObject({ code: 'unsupported_parameter' });
  });
});
