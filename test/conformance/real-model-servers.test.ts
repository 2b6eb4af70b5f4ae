import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { eventually } from '../support/eventually.ts';
import { llamaAvailable, llamaMissing, startLlamaServer } from '../support/llama/llama-server.ts';
import { mlserverAvailable, mlserverMissing, startMlServer, type MlServer } from '../support/mlserver/mlserver.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const messages = [{ role: 'user' as const, content: 'Is the gate open? 門は開いていますか。' }];

describe.skipIf(!mlserverAvailable)(`MLServer behind the kserve wire${mlserverMissing}`, () => {
  let models: MlServer;
  let server: TestServer;
  let openai: OpenAI;
  beforeAll(async () => {
    models = await startMlServer();
    const upstream = { wire: 'kserve' as const, base_url: models.url, models: ['echo', 'meaning', 'absent'] };
    server = await startSekisho({
      config: {
        discover: false,
        handbook: false,
        retry: { attempts: 1 },
        providers: { ml: upstream, idle: { ...upstream, idle_unload_s: 1 } },
        logging: { level: 'silent' },
      },
    });
    openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.adminKey, maxRetries: 0 });
  }, 90_000);
  afterAll(async () => {
    await server.stop();
    await models.stop();
  });

  test('a conversation is answered, whole and as a stream', async () => {
    const whole = await openai.chat.completions.create({ model: 'ml/echo', messages });
    const said = whole.choices[0]?.message.content ?? '';
    expect(said).toStartWith('You said: ');
    expect(said).toContain('Is the gate open? 門は開いていますか。');
    expect(whole.usage?.completion_tokens).toBeGreaterThan(0);

    const stream = await openai.chat.completions.create({ model: 'ml/echo', messages, stream: true });
    let text = '';
    let finish: string | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
    }
    expect(text).toBe(said);
    expect(finish).toBe('stop');
  });

  test('texts are embedded, each in its place', async () => {
    const input = ['one', 'two words', '関所'];
    const { data } = await openai.embeddings.create({ model: 'ml/meaning', input, encoding_format: 'float' });
    expect(data.map(({ embedding }) => embedding)).toEqual([
      [3, 1, 1],
      [9, 2, 1],
      [2, 1, 1],
    ]);
  });

  test('a model that is not there is said to be so', async () => {
    const thrown: unknown = await openai.chat.completions
      .create({ model: 'ml/absent', messages })
      .catch((error) => error);
    expect(thrown).toMatchObject({ status: 502, code: 'upstream_not_found' });
  });

  test('an idle model is unloaded, and loaded again with its next call', async () => {
    const model = 'idle/echo';
    await openai.chat.completions.create({ model, messages });
    expect(await models.ready('echo')).toBe(true);
    await eventually('it is unloaded', async () => !(await models.ready('echo')), 15_000);
    const again = await openai.chat.completions.create({ model, messages });
    expect(again.choices[0]?.message.content).toContain('Is the gate open?');
    expect(await models.ready('echo')).toBe(true);
  });

  test('a server that is gone is an upstream that cannot be reached', async () => {
    await models.kill();
    const thrown: unknown = await openai.embeddings
      .create({ model: 'ml/meaning', input: ['new'] })
      .catch((error) => error);
    expect(thrown).toMatchObject({ status: 502, code: 'upstream_unreachable' });
  });
});

describe.skipIf(!llamaAvailable)(`llama.cpp behind the openai and anthropic dialects${llamaMissing}`, () => {
  let llama: Awaited<ReturnType<typeof startLlamaServer>>;
  let server: TestServer;
  let openai: OpenAI;
  beforeAll(async () => {
    llama = await startLlamaServer();
    server = await startSekisho({
      config: {
        discover: false,
        handbook: false,
        providers: { llama: { wire: 'openai', base_url: `${llama.url}/v1` } },
        routes: { local: [`llama/${await firstModel(llama.url)}`] },
        logging: { level: 'silent' },
      },
    });
    openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.adminKey, maxRetries: 0 });
  }, 90_000);
  afterAll(async () => {
    await server.stop();
    await llama.stop();
  });

  test('a conversation is answered with the tokens that the server counted', async () => {
    const whole = await openai.chat.completions.create({ model: 'local', messages, max_tokens: 12 });
    expect(whole.usage?.completion_tokens).toBe(12);
    expect(whole.usage?.prompt_tokens).toBeGreaterThan(5);
    expect(whole.choices[0]?.finish_reason).toBe('length');
  });

  test('a stream carries the same text in pieces, and its usage', async () => {
    const request = { model: 'local', messages, max_tokens: 12, temperature: 0, seed: 7 };
    const whole = await openai.chat.completions.create(request);
    const stream = await openai.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    expect(text).toBe(whole.choices[0]?.message.content ?? '');
    expect(usage?.completion_tokens).toBe(12);
  });

  test('the Anthropic SDK is answered by it', async () => {
    const anthropic = new Anthropic({ baseURL: server.url, apiKey: server.adminKey, maxRetries: 0 });
    const message = await anthropic.messages.create({ model: 'local', max_tokens: 8, messages });
    expect(message.usage.output_tokens).toBe(8);
    expect(message.stop_reason).toBe('max_tokens');
  });

  test('a schema binds what it writes', async () => {
    const schema = {
      type: 'object',
      properties: { open: { type: 'boolean' } },
      required: ['open'],
      additionalProperties: false,
    };
    const answer = await openai.chat.completions.create({
      model: 'local',
      messages,
      max_tokens: 60,
      response_format: { type: 'json_schema', json_schema: { name: 'gate', strict: true, schema } },
    });
    const written: unknown = JSON.parse(answer.choices[0]?.message.content ?? '');
    expect(written).toEqual({ open: expect.any(Boolean) });
  });

  test('who leaves ends the work of the server', async () => {
    const stop = new AbortController();
    const stream = await openai.chat.completions.create(
      { model: 'local', messages, max_tokens: 1_900, stream: true },
      { signal: stop.signal },
    );
    for await (const _ of stream) {
      stop.abort();
      break;
    }
    await eventually(
      'the slot is free',
      async () => {
        const slots: unknown = await (await fetch(`${llama.url}/slots`)).json();
        return Array.isArray(slots) && slots.every((slot: { is_processing?: boolean }) => slot.is_processing === false);
        // The whole answer would take seconds.
      },
      500,
    );
  });
});

async function firstModel(url: string): Promise<string> {
  const listed: unknown = await (await fetch(`${url}/v1/models`)).json();
  const { data } = listed as { data: { id: string }[] };
  return data[0]?.id ?? '';
}
