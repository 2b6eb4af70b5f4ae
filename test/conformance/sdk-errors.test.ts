import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { CREDENTIAL, startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const messages = [{ role: 'user' as const, content: 'Is the gate open?' }];
const thrownBy = (call: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => error,
  );
const askOpenai = (model: string, client = stage.openai) =>
  thrownBy(client.chat.completions.create({ model, messages }));
const askAnthropic = (model: string, client = stage.anthropic) =>
  thrownBy(client.messages.create({ model, messages, max_tokens: 10 }));

describe('errors as the openai SDK types them', () => {
  test('401 AuthenticationError', async () => {
    const client = new OpenAI({ baseURL: `${stage.server.url}/v1`, apiKey: 'sk-wrong', maxRetries: 0 });
    const error = await askOpenai('fast', client);
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({ status: 401, code: 'invalid_key' });
    expect(stage.upstream.requests).toHaveLength(0);
  });

  test('404 NotFoundError names the models that exist', async () => {
    const error = await askOpenai('no-such-model');
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ status: 404, code: 'route_not_found', param: 'model' });
    expect(String(error)).toContain('fast');
  });

  test('400 BadRequestError for a body that is not valid', async () => {
    const error = await thrownBy(stage.openai.chat.completions.create({ model: 'fast', messages: [] }));
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  test('400 BadRequestError from the upstream is told as such and not retried', async () => {
    stage.upstream.script({ fail: { status: 400 } });
    const error = await askOpenai('backed');
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(stage.upstream.requests).toHaveLength(1);
    expect(stage.spare.requests).toHaveLength(0);
  });

  test('429 RateLimitError with retry-after from the upstream', async () => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status: 429, retryAfter: '7' } });
    const error = await askOpenai('fast');
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    if (!(error instanceof OpenAI.RateLimitError)) return;
    expect(error.headers?.get('retry-after')).toBe('7');
    expect(error.code).toBe('upstream_rate_limited');
  });

  test('502 where the upstream does not accept our credential: never a 401 of ours, never the credential', async () => {
    stage.upstream.onModel('gpt-4o-mini', {
      fail: { status: 401, body: JSON.stringify({ error: { message: `Incorrect API key: ${CREDENTIAL}` } }) },
    });
    const error = await askOpenai('fast');
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 502, code: 'upstream_credential' });
    expect(JSON.stringify(error)).not.toContain(CREDENTIAL);
  });
});

describe('errors as the anthropic SDK types them', () => {
  test('401 AuthenticationError', async () => {
    const client = new Anthropic({ baseURL: stage.server.url, apiKey: 'sk-wrong', maxRetries: 0 });
    const error = await askAnthropic('sonnet', client);
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(error).toMatchObject({ error: { type: 'error', error: { type: 'authentication_error' } } });
  });

  test('404 NotFoundError', async () => {
    const error = await askAnthropic('no-such-model');
    expect(error).toBeInstanceOf(Anthropic.NotFoundError);
    expect(error).toMatchObject({ error: { type: 'error', error: { type: 'not_found_error' } } });
  });

  test('400 BadRequestError', async () => {
    const error = await thrownBy(stage.anthropic.messages.create({ model: 'sonnet', messages: [], max_tokens: 10 }));
    expect(error).toBeInstanceOf(Anthropic.BadRequestError);
    expect(error).toMatchObject({ error: { type: 'error', error: { type: 'invalid_request_error' } } });
  });

  test('429 RateLimitError with retry-after, also over the openai wire', async () => {
    stage.upstream.onModel('gpt-4o-mini', { fail: { status: 429, retryAfter: '7' } });
    const error = await askAnthropic('fast');
    expect(error).toBeInstanceOf(Anthropic.RateLimitError);
    expect(error).toMatchObject({ error: { type: 'error', error: { type: 'rate_limit_error' } } });
    if (error instanceof Anthropic.RateLimitError) expect(error.headers.get('retry-after')).toBe('7');
  });

  test('529 of the upstream is retried, then told as an error of the upstream', async () => {
    stage.upstream.onModel('claude-sonnet-4-5', { fail: { status: 529 } });
    const error = await askAnthropic('sonnet');
    expect(error).toBeInstanceOf(Anthropic.InternalServerError);
    expect(stage.upstream.requests).toHaveLength(2);
  });
});

test('messages come in the language that was asked for', async () => {
  const response = await stage.post(
    '/v1/chat/completions',
    { model: 'no-such-model', messages },
    { headers: { 'accept-language': 'ja,en;q=0.5' } },
  );
  expect(await response.text()).toContain('モデル「no-such-model」はありません');
});
