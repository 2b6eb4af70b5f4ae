import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { isJsonObject } from '../../src/lib/json.ts';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(async () => {
  stage.reset();
  await stage.heal();
});

const ask = (model: string, more: object = {}): Promise<Response> =>
  stage.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Is the gate open?' }], ...more });
const seenBy = (): [upstream: number, spare: number] => [stage.upstream.requests.length, stage.spare.requests.length];

describe('retry on the same target', () => {
  test.each([500, 502, 503, 529])('a %d that passes is retried', async (status) => {
    stage.upstream.script({ fail: { status } });
    const response = await ask('backed');
    expect(response.status).toBe(200);
    expect(response.headers.get('x-sekisho-target')).toBe('up/gpt-4o-mini');
    expect(seenBy()).toEqual([2, 0]);
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', attempts: 2 });
  });

  test('a 429 with a short Retry-After is retried', async () => {
    stage.upstream.script({ fail: { status: 429, retryAfter: '0' } });
    expect((await ask('backed')).headers.get('x-sekisho-target')).toBe('up/gpt-4o-mini');
    expect(seenBy()).toEqual([2, 0]);
  });

  test('a connection reset before any answer is retried', async () => {
    stage.upstream.script({ break: { at: 'before-headers', how: 'reset' } });
    expect((await ask('backed')).status).toBe(200);
    expect(seenBy()).toEqual([2, 0]);
  });

  test('the body of a retry is the same as before', async () => {
    stage.upstream.script({ fail: { status: 500 } });
    await ask('backed', { user: '旅人' });
    expect(stage.upstream.requests[1]?.body).toBe(stage.upstream.requests[0]?.body ?? '');
  });
});

describe('fallback to the next target', () => {
  test('when a target keeps failing', async () => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status: 500 } });
    const response = await ask('backed');
    expect(response.headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
    expect(seenBy()).toEqual([2, 1]);
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', target: 'spare/gpt-4o-mini', attempts: 3 });
  });

  test('at once on a long Retry-After', async () => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status: 429, retryAfter: '60' } });
    expect((await ask('backed')).headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
    expect(seenBy()).toEqual([1, 1]);
  });

  test.each([401, 403, 404])('at once on a %d, which trying again does not mend', async (status) => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status } });
    expect((await ask('backed')).headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
    expect(seenBy()).toEqual([1, 1]);
  });

  test('when nothing listens', async () => {
    expect((await ask('nowhere-backed')).headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
    const alone = await ask('nowhere');
    expect(alone.status).toBe(502);
    expect(await errorCode(alone)).toBe('upstream_unreachable');
  });

  test('when the upstream answers with something that is not an answer', async () => {
    stage.upstream.onModel('gpt-4o-mini', { body: '<html>' });
    expect((await ask('backed')).headers.get('x-sekisho-target')).toBe('spare/gpt-4o-mini');
  });

  test('over wires: the answer stays in the dialect of the caller', async () => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status: 500 } });
    const response = await ask('crossed');
    const body: unknown = JSON.parse(await response.text());
    expect(isJsonObject(body) && body['object']).toBe('chat.completion');
    expect(response.headers.get('x-sekisho-target')).toBe('claude/claude-sonnet-4-5');
    const paths = stage.upstream.requests.map((request) => request.path);
    expect(paths).toEqual(['/v1/chat/completions', '/v1/chat/completions', '/v1/messages']);
  });

  test('embeddings fall back and retry too', async () => {
    stage.upstream.script({ fail: { status: 503 } });
    const response = await stage.post('/v1/embeddings', { model: 'embed', input: 'gate' });
    expect(response.status).toBe(200);
    expect(seenBy()).toEqual([2, 0]);
  });
});

describe('no retry and no fallback', () => {
  test.each([400, 413, 422])('on a %d: it would be rejected everywhere', async (status) => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status } });
    const response = await ask('backed');
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(500);
    expect(seenBy()).toEqual([1, 0]);
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'error', attempts: 1 });
  });
});

test('when every target fails the last error is told, once, and settled', async () => {
  stage.upstream.onModel('gpt-4o-mini', { fail: { status: 500 } });
  stage.spare.onModel('gpt-4o-mini', { fail: { status: 503, retryAfter: '0' } });
  const response = await ask('backed');
  expect(response.status).toBe(502);
  expect(await errorCode(response)).toBe('upstream_failed');
  expect(seenBy()).toEqual([2, 2]);
  const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
  expect(row).toMatchObject({ outcome: 'error', attempts: 4, output_tokens: 0 });
});

async function errorCode(response: Response): Promise<unknown> {
  const body: unknown = JSON.parse(await response.text());
  return isJsonObject(body) && isJsonObject(body['error']) ? body['error']['code'] : undefined;
}
