import { z } from 'zod';

const GROUPS = ['tenant', 'team', 'key', 'user', 'route', 'target', 'model', 'day'] as const;

const period = {
  from: z.iso.datetime({ offset: true }).optional().describe('Default: 31 days before the end.'),
  to: z.iso.datetime({ offset: true }).optional().describe('Default: now. The end itself is left out.'),
};

/** Query of `GET /v1/usage`. */
export const usageQuerySchema = z.object({
  by: z
    .string()
    .max(40)
    .default('route')
    .transform((text) => text.split(','))
    .pipe(
      z
        .array(z.enum(GROUPS))
        .min(1)
        .max(2)
        .refine((names) => new Set(names).size === names.length, 'a group is named twice'),
    )
    .describe(`One or two of ${GROUPS.join(', ')}, with a comma between: day,route`),
  ...period,
});

/** Query of `GET /v1/usage/export`. */
export const usageExportQuerySchema = z.object({
  format: z.enum(['csv', 'jsonl', 'json']).default('csv'),
  ...period,
});

export const usageResponseSchema = z.object({
  from: z.string(),
  to: z.string(),
  groups: z.array(
    z.object({
      group: z.string().describe('The value of the group; of two, both with a space between.'),
      by: z.partialRecord(z.enum(GROUPS), z.string()).describe('The values by the names that were asked for.'),
      requests: z.int(),
      failed_requests: z.int(),
      cache_hits: z.int(),
      input_tokens: z.int(),
      cached_input_tokens: z.int(),
      output_tokens: z.int(),
      reasoning_tokens: z.int(),
      cost_usd: z.string().describe('Dollars, six places.'),
      cost_micros: z.int().describe('Millionths of a dollar.'),
      unpriced_requests: z.int().describe('Calls of models without a known price; the cost leaves them out.'),
    }),
  ),
});
