import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { readPrices } from '../../src/config/prices.ts';
import type { JsonObject } from '../../src/lib/json.ts';
import { decodeUsage as anthropicUsage } from '../../src/providers/anthropic/usage.ts';
import { decodeUsage as bedrockUsage } from '../../src/providers/bedrock/usage.ts';
import { decodeUsage as geminiUsage } from '../../src/providers/gemini/usage.ts';
import { decodeUsage as openaiUsage, findUsage } from '../../src/providers/openai/usage.ts';
import { costMicros } from '../../src/spec/money.ts';
import type { Usage } from '../../src/spec/usage.ts';

/** A usage object in the shape that the vendor documents, and its bill by the price list, worked out by hand. */
interface Bill {
  what: string;
  provider: string;
  model: string;
  decode: (usage: JsonObject) => Usage | undefined;
  usage: JsonObject;
  micros: number;
}

const BILLS: Bill[] = [
  {
    what: 'OpenAI chat: cached and reasoning tokens are parts',
    provider: 'openai',
    model: 'gpt-5-mini',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 2_006,
      completion_tokens: 300,
      total_tokens: 2_306,
      prompt_tokens_details: { cached_tokens: 1_920, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 192,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
    // 86 at 0.25, 1,920 at 0.025, 300 at 2: 21.5 + 48 + 600.
    micros: 670,
  },
  {
    what: 'OpenAI responses: input and output under their own names',
    provider: 'openai',
    model: 'gpt-5-mini',
    decode: openaiUsage,
    usage: {
      input_tokens: 328,
      input_tokens_details: { cached_tokens: 128 },
      output_tokens: 52,
      output_tokens_details: { reasoning_tokens: 40 },
      total_tokens: 380,
    },
    // 200 at 0.25, 128 at 0.025, 52 at 2: 50 + 3.2 + 104.
    micros: 158,
  },
  {
    what: 'OpenAI audio: spoken tokens at the rates of speech',
    provider: 'openai',
    model: 'gpt-audio',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 120,
      completion_tokens: 150,
      total_tokens: 270,
      prompt_tokens_details: { cached_tokens: 0, text_tokens: 20, audio_tokens: 100 },
      completion_tokens_details: { text_tokens: 30, audio_tokens: 120, reasoning_tokens: 0 },
    },
    // 20 at 2.5, 100 at 32, 30 at 10, 120 at 64: 50 + 3,200 + 300 + 7,680.
    micros: 11_230,
  },
  {
    what: 'OpenAI, a prompt of more than 272,000 tokens: other rates for the whole call',
    provider: 'openai',
    model: 'gpt-5.4',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 300_000,
      completion_tokens: 1_000,
      total_tokens: 301_000,
      prompt_tokens_details: { cached_tokens: 100_000 },
    },
    // 200,000 at 5, 100,000 at 0.5, 1,000 at 22.5.
    micros: 1_000_000 + 50_000 + 22_500,
  },
  {
    what: 'OpenAI embedding: input only',
    provider: 'openai',
    model: 'text-embedding-3-small',
    decode: openaiUsage,
    usage: { prompt_tokens: 5_000, total_tokens: 5_000 },
    micros: 100,
  },
  {
    what: 'xAI: reasoning stands beside the completion and counts as output (the bill that xAI itself sent)',
    provider: 'xai',
    model: 'grok-4.20',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 10_120,
      completion_tokens: 1_499,
      total_tokens: 14_428,
      prompt_tokens_details: { cached_tokens: 128 },
      completion_tokens_details: { reasoning_tokens: 2_809 },
    },
    // 9,992 at 1.25, 128 at 0.20, 4,308 at 2.50: 12,490 + 25.6 + 10,770.
    micros: 23_286,
  },
  {
    what: 'xAI: little reasoning stands beside the completion too, as the total tells',
    provider: 'xai',
    model: 'grok-4.20',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 20,
      completion_tokens: 7,
      total_tokens: 30,
      completion_tokens_details: { reasoning_tokens: 3 },
    },
    // 20 at 1.25, 10 at 2.50.
    micros: 50,
  },
  {
    what: 'xAI without a total: reasoning that the completion cannot hold stands beside it',
    provider: 'xai',
    model: 'grok-4.20',
    decode: openaiUsage,
    usage: { prompt_tokens: 12, completion_tokens: 2, completion_tokens_details: { reasoning_tokens: 317 } },
    // 12 at 1.25, 319 at 2.50.
    micros: 813,
  },
  {
    what: 'DeepSeek: cache hits and misses at the top',
    provider: 'deepseek',
    model: 'deepseek-v4-flash',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 10_000,
      completion_tokens: 500,
      total_tokens: 10_500,
      prompt_cache_hit_tokens: 8_000,
      prompt_cache_miss_tokens: 2_000,
      completion_tokens_details: { reasoning_tokens: 300 },
    },
    // 2,000 at 0.3, 8,000 at 0.006, 500 at 1.2.
    micros: 600 + 48 + 600,
  },
  {
    what: 'Groq: the usage of a stream under x_groq',
    provider: 'groq',
    model: 'openai/gpt-oss-20b',
    decode: (usage) => findUsage({ choices: [], x_groq: { id: 'req_1', usage } }),
    usage: {
      queue_time: 0.01,
      prompt_tokens: 400,
      prompt_time: 0.01,
      completion_tokens: 100,
      completion_time: 0.1,
      total_tokens: 500,
      total_time: 0.11,
    },
    // 400 at 0.075, 100 at 0.3.
    micros: 60,
  },
  {
    what: 'OpenAI-shaped with cache writes, as OpenRouter sends them: the total is not more than its parts',
    provider: 'openai',
    model: 'gpt-5.6-sol',
    decode: openaiUsage,
    usage: {
      prompt_tokens: 194,
      completion_tokens: 2,
      total_tokens: 196,
      prompt_tokens_details: { cached_tokens: 0, cache_write_tokens: 100, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
      cost: 0.95,
      cost_details: { upstream_inference_cost: 19 },
    },
    // 94 at 4, 100 at 5, 2 at 20.
    micros: 376 + 500 + 40,
  },
  {
    what: 'Anthropic: reads and writes of the cache stand beside the input, an hour costs more than five minutes',
    provider: 'anthropic',
    model: 'claude-sonnet-4-5-20250929',
    decode: anthropicUsage,
    usage: {
      input_tokens: 2_048,
      cache_read_input_tokens: 1_800,
      cache_creation_input_tokens: 248,
      cache_creation: { ephemeral_5m_input_tokens: 148, ephemeral_1h_input_tokens: 100 },
      output_tokens: 503,
    },
    // 2,048 at 3, 1,800 at 0.3, 148 at 3.75, 100 at 6, 503 at 15: 6,144 + 540 + 555 + 600 + 7,545.
    micros: 15_384,
  },
  {
    what: 'Anthropic: searches of the vendor by the thousand',
    provider: 'anthropic',
    model: 'claude-haiku-4-5',
    decode: anthropicUsage,
    usage: {
      input_tokens: 105,
      output_tokens: 6_039,
      cache_read_input_tokens: 7_123,
      cache_creation_input_tokens: 7_345,
      server_tool_use: { web_search_requests: 1 },
    },
    // 105 at 1, 7,123 at 0.1, 7,345 at 1.25, 6,039 at 5, one search: 105 + 712.3 + 9,181.25 + 30,195 + 10,000.
    micros: 50_194,
  },
  {
    what: 'Anthropic, a long prompt: what was cached counts towards its length',
    provider: 'anthropic',
    model: 'claude-haiku-5-5',
    decode: anthropicUsage,
    usage: {
      input_tokens: 1_000,
      cache_read_input_tokens: 100_000,
      cache_creation_input_tokens: 0,
      output_tokens: 100,
    },
    // 1,000 at 0.5, 100,000 at 0.05, 100 at 2.5.
    micros: 500 + 5_000 + 250,
  },
  {
    what: 'Gemini: thoughts stand beside the candidates',
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    decode: geminiUsage,
    usage: {
      promptTokenCount: 1_300,
      cachedContentTokenCount: 1_000,
      candidatesTokenCount: 50,
      thoughtsTokenCount: 150,
      totalTokenCount: 1_500,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1_300 }],
    },
    // 300 at 0.3, 1,000 at 0.03, 200 at 2.5.
    micros: 90 + 30 + 500,
  },
  {
    what: 'Gemini: heard tokens at the rate of audio',
    provider: 'gemini',
    model: 'gemini-2.5-flash',
    decode: geminiUsage,
    usage: {
      promptTokenCount: 500,
      candidatesTokenCount: 10,
      totalTokenCount: 510,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 100 },
        { modality: 'AUDIO', tokenCount: 400 },
      ],
    },
    // 100 at 0.3, 400 at 1, 10 at 2.5.
    micros: 30 + 400 + 25,
  },
  {
    what: 'Gemini, a prompt of more than 200,000 tokens',
    provider: 'gemini',
    model: 'gemini-2.5-pro',
    decode: geminiUsage,
    usage: { promptTokenCount: 200_001, candidatesTokenCount: 100, totalTokenCount: 200_101 },
    // 200,001 at 2.5, 100 at 15: 500,002.5 + 1,500.
    micros: 501_503,
  },
  {
    what: 'Bedrock Converse, in a region: a tenth more than over the global endpoint',
    provider: 'bedrock',
    model: 'us.anthropic.claude-haiku-4-5-20251001-v1:0',
    decode: bedrockUsage,
    usage: {
      inputTokens: 1_000,
      outputTokens: 200,
      totalTokens: 5_200,
      cacheReadInputTokens: 3_000,
      cacheWriteInputTokens: 1_000,
    },
    // 1,000 at 1.1, 3,000 at 0.11, 1,000 at 1.375, 200 at 5.5: 1,100 + 330 + 1,375 + 1,100.
    micros: 3_905,
  },
  {
    what: 'Bedrock Converse, the global endpoint',
    provider: 'bedrock',
    model: 'global.anthropic.claude-haiku-4-5-20251001-v1:0',
    decode: bedrockUsage,
    usage: { inputTokens: 1_000, outputTokens: 200, totalTokens: 1_200 },
    micros: 1_000 + 1_000,
  },
];

describe('C2: golden bills of usage objects', () => {
  const prices = readPrices(join(import.meta.dirname, '../..'), { nowMs: () => Date.parse('2026-11-21') });
  for (const { what, provider, model, decode, usage, micros } of BILLS) {
    test(what, () => {
      const price = prices.priceOf(provider, model);
      const used = decode(usage);
      if (price === undefined || used === undefined) throw new Error('there is no price or no usage');
      expect(costMicros(used, price)).toBe(micros);
      expect(used.basis).toBe('reported');
    });
  }

  test('a rerank is billed by its searches', () => {
    const price = prices.priceOf('cohere', 'rerank-v4.0-pro');
    if (price === undefined) throw new Error('there is no price');
    const used: Usage = { ...openaiUsage({}), searchUnits: 4 };
    expect(costMicros(used, price)).toBe(10_000);
  });

  test('counts that no call can have do not break the books', () => {
    const wild = openaiUsage({ prompt_tokens: 1e300, completion_tokens: -5, total_tokens: 2.5 });
    expect(wild.inputTokens).toBe(1_000_000_000);
    expect(wild.outputTokens).toBe(0);
    expect(openaiUsage({ prompt_tokens: 10.4, completion_tokens: 2.6 })).toMatchObject({
      inputTokens: 10,
      outputTokens: 3,
    });
  });

  test('a stream of Anthropic corrects its output and keeps its input', () => {
    const start = anthropicUsage({
      input_tokens: 10,
      cache_creation_input_tokens: 100,
      cache_read_input_tokens: 5,
      cache_creation: { ephemeral_5m_input_tokens: 40, ephemeral_1h_input_tokens: 60 },
      output_tokens: 1,
    });
    const end = anthropicUsage({ output_tokens: 77, server_tool_use: { web_search_requests: 2 } }, start);
    expect(end).toMatchObject({
      inputTokens: 115,
      cachedInputTokens: 5,
      cacheWriteTokens: 100,
      longCacheWriteTokens: 60,
      outputTokens: 77,
      searchUnits: 2,
    });
  });
});
