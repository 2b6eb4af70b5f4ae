import { expect, test } from 'bun:test';
import type { EmbeddingCall } from '../../ports/provider.ts';
import type { StaticTextEncoder } from '../../ports/text-analyser.ts';
import type { EmbeddingRequest } from '../../spec/embedding.ts';
import { createStaticProvider } from './static-provider.ts';

const encoder: StaticTextEncoder = {
  id: 'tiny',
  dimensions: 2,
  fingerprint: 'f',
  encode: (text) => new Float32Array([text.length, 0]),
  countTokens: (text) => text.split(' ').length,
};
const provider = createStaticProvider({ encoder });

function callOf(request: EmbeddingRequest, signal = new AbortController().signal): EmbeddingCall {
  return { model: 'tiny', target: 'static/tiny', signal, request };
}

async function failureOf(call: EmbeddingCall): Promise<unknown> {
  return provider.embed?.(call).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

test('one vector per input, in order, and the tokens counted', async () => {
  const answer = await provider.embed?.(callOf({ input: ['a', 'b c', ''], dimensions: 2 }));
  expect(answer?.result().vectors.map((vector) => vector[0])).toEqual([1, 3, 0]);
  expect(answer?.usage).toMatchObject({ inputTokens: 4, outputTokens: 0, basis: 'estimated' });
});

test('other dimensions are refused', async () => {
  expect(await failureOf(callOf({ input: ['a'], dimensions: 3 }))).toHaveProperty('code', 'unsupported_parameter');
});

test('a caller who has left is not worked for', async () => {
  expect(await failureOf(callOf({ input: ['a'] }, AbortSignal.abort()))).toHaveProperty('code', 'caller_left');
});

test('a large batch lets others run in between', async () => {
  let others = 0;
  const working = provider.embed?.(callOf({ input: Array.from({ length: 40 }, () => 'x'.repeat(50_000)) }));
  const other = new Promise<void>((resolve) =>
    setImmediate(() => {
      others++;
      resolve();
    }),
  );
  await Promise.race([working, other]);
  expect(others).toBe(1);
  await working;
});

test('its model is listed', async () => {
  expect(await provider.listModels?.(new AbortController().signal)).toEqual(['tiny']);
});
