import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { roads } from '../../../test/translation/open-stream.ts';
import { splitCallId } from '../kit/call-signature.ts';

const chunk = (more: object): string =>
  `data: ${JSON.stringify({ responseId: 'r1', modelVersion: 'gemini-x-001', ...more })}\r\n\r\n`;
const parts = (given: object[], more: object = {}): string =>
  chunk({
    candidates: [{ content: { role: 'model', parts: given }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: 10, totalTokenCount: 10 },
  });
const usageMetadata = {
  promptTokenCount: 10,
  cachedContentTokenCount: 4,
  candidatesTokenCount: 12,
  thoughtsTokenCount: 5,
  totalTokenCount: 27,
};
const end = chunk({
  candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP', index: 0 }],
  usageMetadata,
});
const usage = {
  inputTokens: 10,
  outputTokens: 17,
  cachedInputTokens: 4,
  cacheWriteTokens: 0,
  reasoningTokens: 5,
  basis: 'reported' as const,
};
const content =
  parts([{ text: '思', thought: true }]) +
  parts([{ text: 'say "error" 🏯' }]) +
  parts([{ text: '!', thoughtSignature: 'dGV4dA==' }]) +
  parts([
    { functionCall: { name: 'f', args: { x: 1 } }, thoughtSignature: 'YS9iKw==' },
    { functionCall: { name: 'g' } },
  ]) +
  parts([{ functionCall: { id: 'native', name: 'h', args: {} } }]) +
  parts([{ executableCode: { code: '1' } }]);
const expected = [
  { type: 'start', id: 'r1', model: 'gemini-x-001', createdMs: 7 },
  { type: 'reasoning', text: '思' },
  { type: 'text', text: 'say "error" 🏯' },
  { type: 'text', text: '!' },
  { type: 'reasoning', text: '', signature: 'gemini:dGV4dA==' },
  { type: 'tool-call-start', index: 0, id: 'call_r1_0__sig__YS9iKw', name: 'f' },
  { type: 'tool-call-delta', index: 0, arguments: '{"x":1}' },
  { type: 'tool-call-start', index: 1, id: 'call_r1_1', name: 'g' },
  { type: 'tool-call-delta', index: 1, arguments: '{}' },
  { type: 'tool-call-start', index: 2, id: 'native', name: 'h' },
  { type: 'tool-call-delta', index: 2, arguments: '{}' },
  { type: 'usage', usage },
  { type: 'finish', finish: 'tool-calls' },
] as const;

test('is understood, cut at every byte', async () => {
  const length = Buffer.byteLength(content + end);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: length }), async (packetBytes) => {
      expect((await roads.decodeGemini(content + end, { packetBytes })).parts).toEqual([...expected]);
    }),
    { numRuns: 60, examples: [[1], [2], [3], [7]] },
  );
});

test('a signature comes back out of the id as it went in', () => {
  expect(splitCallId('call_r1_0__sig__YS9iKw')).toEqual({ id: 'call_r1_0', signature: 'YS9iKw==' });
  expect(splitCallId('call_r1_1')).toEqual({ id: 'call_r1_1' });
});

describe('the end', () => {
  const said = parts([{ text: 'half' }]);

  test.each([
    ['closes', {}],
    ['dies', { dies: new Error('reset') }],
  ])('an upstream that %s without a reason is one error, and the last part', async (_, options) => {
    const seen = (await roads.decodeGemini(said, options)).parts;
    expect(seen.filter((part) => part.type === 'error')).toHaveLength(1);
    expect(seen.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test('an upstream that dies after its reason has answered', async () => {
    const seen = (await roads.decodeGemini(said + end, { dies: new Error('reset') })).parts;
    expect(seen.at(-1)).toEqual({ type: 'finish', finish: 'stop' });
  });

  test('usage is estimated where the upstream is silent', async () => {
    const silent = chunk({ candidates: [{ content: { parts: [{ text: 'four' }] }, finishReason: 'MAX_TOKENS' }] });
    expect((await roads.decodeGemini(silent)).parts.slice(-2)).toMatchObject([
      { type: 'usage', usage: { basis: 'estimated', outputTokens: 4 } },
      { type: 'finish', finish: 'length' },
    ]);
  });

  test.each([
    ['SAFETY', 'content-filter'],
    ['PROHIBITED_CONTENT', 'content-filter'],
    ['RECITATION', 'content-filter'],
    ['SPII', 'content-filter'],
    ['LANGUAGE', 'other'],
    ['OTHER', 'other'],
  ] as const)('%s is %s', async (finishReason, finish) => {
    const seen = (await roads.decodeGemini(said + parts([], { finishReason }))).parts;
    expect(seen.at(-1)).toEqual({ type: 'finish', finish });
  });

  test('a call that the model did not manage is no answer', async () => {
    const seen = (
      await roads.decodeGemini(said + parts([], { finishReason: 'MALFORMED_FUNCTION_CALL' }), { packetBytes: 9 })
    ).parts;
    expect(seen.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_broken' } });
  });

  test('a blocked prompt is refused before anything has gone out', async () => {
    const blocked = chunk({ promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata });
    const thrown: unknown = await roads.decodeGemini(blocked).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'content_refused' });
  });

  test('an error midway is told by its status, and is the end', async () => {
    const error = `data: ${JSON.stringify({ error: { code: 429, message: 'slow', status: 'RESOURCE_EXHAUSTED' } })}\n\n`;
    const seen = (await roads.decodeGemini(said + error + end, { packetBytes: 9 })).parts;
    expect(seen.map((part) => part.type)).toEqual(['start', 'text', 'error']);
    expect(seen.at(-1)).toMatchObject({ error: { code: 'upstream_rate_limited' } });
  });

  test('an event that is no JSON is an error', async () => {
    const seen = (await roads.decodeGemini(`${said}data: {"broken"\n\n${end}`, { packetBytes: 9 })).parts;
    expect(seen.map((part) => part.type)).toEqual(['start', 'text', 'error']);
  });
});
