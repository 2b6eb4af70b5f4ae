import { createOpenAI } from '@ai-sdk/openai';
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { fakeVector } from '../support/fake-provider/recorded-embedding.ts';
import { startStage, type Stage } from '../support/stage.ts';
import { TEXT } from './openai-expectations.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const provider = () => createOpenAI({ baseURL: `${stage.server.url}/v1`, apiKey: stage.server.adminKey });
const weather = tool({
  description: 'Weather of a city',
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
  }),
  execute: ({ city }) => `21 degrees in ${city}`,
});

describe.each(['fast', 'sonnet'])('ai SDK, chat model %s', (route) => {
  test('generateText', async () => {
    const { text, finishReason, usage } = await generateText({
      model: provider().chat(route),
      prompt: 'Is the gate open?',
      maxRetries: 0,
    });
    expect(text).toBe(TEXT);
    expect(finishReason).toBe('stop');
    expect(usage.inputTokens).toBe(17);
  });

  test('streamText, with usage', async () => {
    const stream = streamText({ model: provider().chat(route), prompt: 'Is the gate open?', maxRetries: 0 });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    expect(text).toBe(TEXT);
    expect((await stream.usage).inputTokens).toBe(17);
    expect(await stream.finishReason).toBe('stop');
  });

  test('a tool is called and its result answered, in one go', async () => {
    const { text, steps } = await generateText({
      model: provider().chat(route),
      prompt: 'What is the weather?',
      tools: { get_weather: weather },
      stopWhen: stepCountIs(3),
      maxRetries: 0,
    });
    expect(steps[0]?.toolCalls[0]?.input).toEqual({ city: 'Tokyo', unit: 'celsius' });
    expect(steps[0]?.toolResults[0]?.output).toBe('21 degrees in Tokyo');
    expect(text).toBe(TEXT);
    expect(JSON.stringify(stage.upstream.requests[1]?.json)).toContain('21 degrees in Tokyo');
  });
});

describe.each(['fast', 'sonnet', 'forms', 'gemini', 'bedrock'])('ai SDK, responses, model %s', (route) => {
  // What the answer is not kept for must be sent back whole.
  const providerOptions = { openai: { store: false } };

  test('generateText and streamText', async () => {
    const ask = { model: provider().responses(route), prompt: 'Is the gate open?', maxRetries: 0, providerOptions };
    const { text, finishReason, usage, warnings } = await generateText(ask);
    expect([text, finishReason, usage.inputTokens]).toEqual([TEXT, 'stop', 17]);
    expect(warnings ?? []).toEqual([]);
    const stream = streamText(ask);
    let streamed = '';
    for await (const piece of stream.textStream) streamed += piece;
    expect(streamed).toBe(TEXT);
    expect((await stream.usage).cachedInputTokens).toBe(4);
    expect(await stream.finishReason).toBe('stop');
  });

  test('a tool is called and its result answered, streamed, in one go', async () => {
    const stream = streamText({
      model: provider().responses(route),
      prompt: 'What is the weather?',
      tools: { get_weather: weather },
      stopWhen: stepCountIs(3),
      maxRetries: 0,
      providerOptions,
    });
    const steps = await stream.steps;
    expect(steps[0]?.toolCalls[0]?.input).toMatchObject({ city: 'Tokyo' });
    expect(await stream.text).toBe(TEXT);
    expect(JSON.stringify(stage.upstream.requests[1]?.json)).toContain('21 degrees in Tokyo');
  });

  test('structured output', async () => {
    stage.upstream.script({ answer: 'json' });
    const { output } = await generateText({
      model: provider().responses(route),
      prompt: 'Describe the gate.',
      output: Output.object({
        schema: jsonSchema<{ name: string }>({ type: 'object', properties: { name: { type: 'string' } } }),
      }),
      maxRetries: 0,
      providerOptions,
    });
    expect(output.name).toBe('Hakone');
  });

  test('a stream that breaks is an error', async () => {
    stage.upstream.script({ break: { at: { events: 4 }, how: 'cut' } });
    const errors: unknown[] = [];
    const stream = streamText({
      model: provider().responses(route),
      prompt: 'Is the gate open?',
      maxRetries: 0,
      providerOptions,
      onError: ({ error }) => void errors.push(error),
    });
    for await (const part of stream.fullStream) if (part.type === 'error') errors.push(part.error);
    expect(errors.length).toBeGreaterThan(0);
  });
});

test('ai SDK: structured output', async () => {
  const { output } = await generateText({
    model: provider().chat('fast'),
    prompt: 'Describe the gate.',
    output: Output.object({
      schema: jsonSchema<{ name: string }>({ type: 'object', properties: { name: { type: 'string' } } }),
    }),
    maxRetries: 0,
  });
  expect(output).toEqual({ name: 'Hakone', founded: 1619, open: true } as { name: string });
});

test('ai SDK: embedMany', async () => {
  const { embeddings } = await embedMany({ model: provider().embedding('embed'), values: ['gate', '関所'] });
  expect(embeddings[1]).toEqual(Array.from(fakeVector('関所', 8)));
});
