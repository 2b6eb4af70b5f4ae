import { describe, expect, test } from 'bun:test';
import { errorInAnswer, upstreamError } from './upstream-error.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const translate = (status: number, body: unknown = '', headers: Record<string, string> = {}) =>
  upstreamError({
    target: 'up/m',
    status,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: new Headers(headers),
    nowMs: NOW,
    secrets: ['sk-secret-4711'],
  });
const openai = (message: string, more: object = {}): object => ({
  error: { message, type: 'invalid_request_error', ...more },
});

describe('status', () => {
  test.each([
    [301, 'upstream_not_found'],
    [400, 'upstream_rejected'],
    [401, 'upstream_credential'],
    [402, 'upstream_credential'],
    [403, 'upstream_credential'],
    [404, 'upstream_not_found'],
    [408, 'upstream_failed'],
    [413, 'upstream_rejected'],
    [422, 'upstream_rejected'],
    [429, 'upstream_rate_limited'],
    [500, 'upstream_failed'],
    [529, 'upstream_failed'],
  ] as const)('%d -> %s', (status, code) => {
    expect(translate(status, '<html>').code).toBe(code);
  });
});

describe('what a 400 means', () => {
  test.each([
    [
      'context_too_long',
      openai("This model's maximum context length is 8192 tokens.", { code: 'context_length_exceeded' }),
    ],
    [
      'context_too_long',
      { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens' } },
    ],
    ['context_too_long', { error: 'the request exceeds the available context size' }],
    [
      'content_refused',
      openai('filtered', { code: 'content_filter', innererror: { code: 'ResponsibleAIPolicyViolation' } }),
    ],
    ['content_refused', openai('Your request was flagged by our safety system.')],
    ['upstream_not_found', openai('The model `x` does not exist', { code: 'model_not_found' })],
    ['upstream_not_found', { object: 'error', message: 'Invalid model: x', type: 'invalid_model', code: '1500' }],
    ['upstream_rate_limited', openai('Your credit balance is too low to access the API.')],
    ['upstream_rejected', openai('temperature must be at most 1')],
  ] as const)('%s', (code, body) => {
    expect(translate(400, body).code).toBe(code);
  });

  test('the words of the upstream are shown bounded, on one line and without our credential', () => {
    const { message } = translate(422, openai(`bad\n\u0007key sk-secret-4711 ${'x'.repeat(2_000)}`));
    expect(message).toContain('bad key [secret] xxx');
    expect(message).not.toContain('sk-secret');
    expect(message.length).toBeLessThan(600);
    expect(translate(400, { detail: [{ loc: ['body', 'stream_options'], msg: 'forbidden' }] }).message).toContain(
      'stream_options',
    );
    expect(translate(400, 'plain words').message).toContain('HTTP 400');
  });

  test('an error of the upstream shows none of its words', () => {
    expect(translate(500, openai('stack trace')).message).not.toContain('stack trace');
    expect(errorInAnswer('up/m', { message: 'stack trace', type: 'server_error' }).message).not.toContain(
      'stack trace',
    );
  });
});

describe('retry-after', () => {
  test.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': '999999999' }, 86_400_000],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ] as const)('%j -> %p', (headers, pauseMs) => {
    expect(translate(429, '', { ...headers }).retryAfterMs).toBe(pauseMs);
    expect(translate(503, '', { ...headers }).retryAfterMs).toBe(pauseMs);
  });

  test('an exhausted quota does not come back at once', () => {
    expect(translate(429, openai('You exceeded your current quota', { code: 'insufficient_quota' })).retryAfterMs).toBe(
      60_000,
    );
  });
});

test.each([
  [{ type: 'overloaded_error' }, 'upstream_failed'],
  [{ type: 'rate_limit_error' }, 'upstream_rate_limited'],
  [{ code: 429, message: 'slow' }, 'upstream_rate_limited'],
  [{ type: 'authentication_error' }, 'upstream_credential'],
  ['anything', 'upstream_failed'],
] as const)('an error with status 200, %j -> %s', (error, code) => {
  expect(errorInAnswer('up/m', typeof error === 'string' ? error : { ...error }).code).toBe(code);
});
