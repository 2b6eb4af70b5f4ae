import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Price } from '../spec/money.ts';

const dollars = z.number().min(0);

const pricesSchema = z.strictObject({
  asOf: z.iso.date(),
  currency: z.literal('USD'),
  note: z.string(),
  models: z.array(
    z.strictObject({
      provider: z.string(),
      model: z.string(),
      kinds: z.array(z.enum(['chat', 'embedding'])).min(1),
      input_per_million: dollars,
      output_per_million: dollars,
      cached_input_per_million: dollars.optional(),
      cache_write_per_million: dollars.optional(),
      source: z.url(),
    }),
  ),
});

/** What models cost by the price list that ships with the project, and since when that was true. */
export interface PriceBook {
  asOf: string;
  /** By exact name, then without a date or `-latest` at its end; undefined where the list does not know. */
  priceOf(provider: string, model: string): Price | undefined;
  modelsOf(provider: string): { model: string; kinds: ('chat' | 'embedding')[] }[];
}

/** `-2024-07-18`, `-20250514`, `-0125`, `-latest`: versions of a model that share its price. */
const VERSION = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest)$/;

/** Reads `prices/prices.json` below `root`. @throws where the file is not what it should be. */
export function readPrices(root: string): PriceBook {
  const list = pricesSchema.parse(JSON.parse(readFileSync(join(root, 'prices', 'prices.json'), 'utf8')));
  const prices = new Map(
    list.models.map((row): [string, Price] => [
      `${row.provider}/${row.model}`,
      {
        inputPerMillion: row.input_per_million,
        outputPerMillion: row.output_per_million,
        ...(row.cached_input_per_million !== undefined && { cachedInputPerMillion: row.cached_input_per_million }),
        ...(row.cache_write_per_million !== undefined && { cacheWritePerMillion: row.cache_write_per_million }),
      },
    ]),
  );
  return {
    asOf: list.asOf,
    priceOf: (provider, model) =>
      prices.get(`${provider}/${model}`) ?? prices.get(`${provider}/${model.replace(VERSION, '')}`),
    modelsOf: (provider) =>
      list.models.filter((row) => row.provider === provider).map(({ model, kinds }) => ({ model, kinds })),
  };
}
