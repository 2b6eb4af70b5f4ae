import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { systemClock, type Clock } from '../lib/clock.ts';
import type { Price, Rates } from '../spec/money.ts';
import type { ModelKind } from '../spec/route.ts';

const dollars = z.number().min(0);

const rates = {
  input_per_million: dollars,
  output_per_million: dollars,
  cached_input_per_million: dollars.optional(),
  cache_write_per_million: dollars.optional(),
  long_cache_write_per_million: dollars.optional(),
  audio_input_per_million: dollars.optional(),
  audio_output_per_million: dollars.optional(),
  image_input_per_million: dollars.optional(),
  image_output_per_million: dollars.optional(),
};

const rowSchema = z.strictObject({
  provider: z.string(),
  model: z.string(),
  kinds: z.array(z.enum(['chat', 'embedding', 'rerank'])).min(1),
  contextTokens: z.int().min(1).optional(),
  /** The UTC day from which the row holds; absent: from the start. */
  from: z.iso.date().optional(),
  ...rates,
  per_thousand_searches: dollars.optional(),
  long_prompts: z
    .array(z.strictObject({ above_input_tokens: z.int().min(1), ...rates }))
    .min(1)
    .optional(),
  source: z.url(),
});

const pricesSchema = z.strictObject({
  asOf: z.iso.date(),
  currency: z.literal('USD'),
  note: z.string(),
  sources: z.array(z.url()).min(1),
  models: z
    .array(rowSchema)
    .min(1)
    .refine((rows) => new Set(rows.map(keyOfRow)).size === rows.length, 'a model has two prices for the same day'),
});

type Row = z.infer<typeof rowSchema>;

interface PricedModel {
  model: string;
  kinds: ModelKind[];
  /** Tokens that the model's window holds, input and output together. */
  contextTokens?: number;
}

/** What models cost by the price list that ships with the project, and since when that was true. */
export interface PriceBook {
  asOf: string;
  /**
   * The price of today. By exact name, then without a date or `-latest` at its end, then without Bedrock's
   * version and the region of its inference profile; undefined where the list does not know.
   */
  priceOf(provider: string, model: string): Price | undefined;
  modelsOf(provider: string): PricedModel[];
}

/** `-2024-07-18`, `-20250514`, `-0125`, `-latest`: versions of a model that share its price. */
const VERSION = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest)$/;
/** `-v1:0`: how Bedrock's model ids end. */
const BEDROCK_VERSION = /-v\d+(?::\d+)*$/;
/** `us.`: an inference profile of a region; the global one has prices of its own. */
const BEDROCK_REGION = /^(?:us|us-gov|eu|apac|jp|au|ca|sa)\./;

/** Reads `prices/prices.json` below `root`. @throws where the file is not what it should be. */
export function readPrices(root: string, clock: Pick<Clock, 'nowMs'> = systemClock): PriceBook {
  const list = pricesSchema.parse(JSON.parse(readFileSync(join(root, 'prices', 'prices.json'), 'utf8')));
  const byModel = Map.groupBy(list.models, (row) => `${row.provider}/${row.model}`);
  for (const rows of byModel.values()) rows.sort((a, b) => startMs(b) - startMs(a));

  // Asked for at every call, so made once.
  const priced = new Map(list.models.map((row) => [row, priceOfRow(row)]));
  const priceNow = (key: string): Price | undefined => {
    const row = byModel.get(key)?.find((each) => startMs(each) <= clock.nowMs());
    return row && priced.get(row);
  };
  return {
    asOf: list.asOf,
    priceOf: (provider, model) => {
      const plain = model.replace(BEDROCK_VERSION, '').replace(VERSION, '');
      return (
        priceNow(`${provider}/${model}`) ??
        priceNow(`${provider}/${model.replace(VERSION, '')}`) ??
        priceNow(`${provider}/${plain}`) ??
        priceNow(`${provider}/${plain.replace(BEDROCK_REGION, '')}`)
      );
    },
    modelsOf: (provider) =>
      [...byModel.values()].flatMap(([row]) => (row?.provider === provider ? [modelOfRow(row)] : [])),
  };
}

function keyOfRow(row: Row): string {
  return `${row.provider}/${row.model}/${row.from ?? ''}`;
}

/** The start of the row's first day in UTC, in milliseconds since 1970. */
function startMs(row: Row): number {
  return row.from === undefined ? 0 : Date.parse(row.from);
}

function priceOfRow(row: Row): Price {
  return {
    ...ratesOf(row),
    ...(row.per_thousand_searches !== undefined && { perThousandSearches: row.per_thousand_searches }),
    ...(row.long_prompts && {
      longPrompts: row.long_prompts
        .map((long) => ({ ...ratesOf(long), aboveInputTokens: long.above_input_tokens }))
        .sort((a, b) => a.aboveInputTokens - b.aboveInputTokens),
    }),
  };
}

function ratesOf(row: Pick<Row, keyof typeof rates>): Rates {
  const parts = {
    cachedInputPerMillion: row.cached_input_per_million,
    cacheWritePerMillion: row.cache_write_per_million,
    longCacheWritePerMillion: row.long_cache_write_per_million,
    audioInputPerMillion: row.audio_input_per_million,
    audioOutputPerMillion: row.audio_output_per_million,
    imageInputPerMillion: row.image_input_per_million,
    imageOutputPerMillion: row.image_output_per_million,
  };
  return {
    inputPerMillion: row.input_per_million,
    outputPerMillion: row.output_per_million,
    ...Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)),
  };
}

function modelOfRow({ model, kinds, contextTokens }: Row): PricedModel {
  return { model, kinds, ...(contextTokens !== undefined && { contextTokens }) };
}
