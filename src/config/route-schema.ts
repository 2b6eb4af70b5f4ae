import { z } from 'zod';
import { FALLBACK_REASONS, STICKY_KEYS, STRATEGIES } from '../spec/routing.ts';

export const targetName = z.string().regex(/^[^/\s]+\/\S+$/, 'must be "provider/model"');
export const milliseconds = z.int().min(1).max(3_600_000);
const tokens = z.int().min(1).max(100_000_000);
const patterns = z.array(z.string().min(1).max(200)).min(1).max(100);

export const retrySchema = z.strictObject({
  attempts: z.int().min(1).max(10).optional().describe('Calls to one target before the next one is tried. Default 2.'),
  base_delay_ms: milliseconds.optional().describe('First delay, doubled each time, with full jitter. Default 250.'),
  max_delay_ms: milliseconds
    .optional()
    .describe('Longest delay; a longer Retry-After falls back at once. Default 8000.'),
});

const conditionSchema = z
  .strictObject({
    models: patterns.optional().describe('Names asked for, where the name of the route is a pattern.'),
    tenants: patterns.optional(),
    teams: patterns.optional(),
    tags: patterns.optional().describe('Tags of the key, or of the request (header x-sekisho-tags).'),
    min_input_tokens: tokens.optional().describe('Estimated size of the prompt, at least.'),
    max_input_tokens: tokens.optional().describe('Estimated size of the prompt, at most.'),
  })
  .describe('All that is given must hold; in a list one match suffices; patterns may end in "*".');

const groupTarget = z.union([
  targetName,
  z.strictObject({ target: targetName, weight: z.number().min(0).max(10_000).optional().describe('Default 1.') }),
]);

const groupSchema = z.strictObject({
  strategy: z.enum(STRATEGIES).optional().describe('How the group chooses among its targets. Default ordered.'),
  sticky_by: z
    .enum(STICKY_KEYS)
    .optional()
    .describe('What stays on one target with the strategy sticky; session is the header x-sekisho-session.'),
  when: conditionSchema.optional(),
  targets: z.array(groupTarget).min(1).max(50),
});

/** Everything that can be said of a route. */
export const detailedRouteSchema = z
  .strictObject({
    targets: z.array(groupTarget).min(1).max(50).optional().describe('Targets in the order of fallback.'),
    groups: z.array(groupSchema).min(1).max(20).optional().describe('Groups in the order of fallback.'),
    description: z.string().max(500).optional(),
    retry: retrySchema.optional(),
    fallback_on: z
      .array(z.enum(FALLBACK_REASONS))
      .max(20)
      .optional()
      .describe('Failures on which the next target is tried. Default: all of them.'),
    hedge: z
      .strictObject({
        after_ms: milliseconds.describe('How long the first target may take to begin before a second one is asked.'),
        max_share: z
          .number()
          .min(0)
          .max(1)
          .optional()
          .describe('Share of calls that may be asked twice. Default 0.05.'),
      })
      .optional()
      .describe('Off unless given.'),
    cache: z
      .strictObject({
        ttl_s: z.int().min(1).max(2_592_000),
        scope: z.enum(['tenant', 'team', 'key', 'user']).optional().describe('Who shares an answer. Default tenant.'),
      })
      .optional()
      .describe('The same question again is answered from the cache. Off unless given.'),
    context: z
      .strictObject({
        policy: z.enum(['newest', 'drop-middle', 'summarise']),
        max_input_tokens: tokens.optional().describe("Default: what the target's window leaves."),
        summary_route: z.string().min(1).max(128).optional().describe('The model that writes summaries.'),
      })
      .optional()
      .describe('A history that does not fit is trimmed. Off unless given.'),
    uncarried: z
      .enum(['refuse', 'drop'])
      .optional()
      .describe('What the wire of a target cannot carry is refused (default), or left out and named in the log.'),
  })
  .refine((route) => (route.targets === undefined) !== (route.groups === undefined), 'give either targets or groups');

/** A public model name: a list of targets in the order of fallback, or everything in detail. */
export const routeSchema = z.union([
  z.array(targetName).min(1).max(20).describe('Targets in the order of fallback.'),
  detailedRouteSchema,
]);

/** What holds for a target, or with `provider/*` for all of a provider. */
export const targetPolicySchema = z.strictObject({
  enabled: z.boolean().optional().describe('False: no call goes there. Default true.'),
  concurrency: z.int().min(1).max(100_000).optional().describe('Calls at once from this process.'),
  queue: z
    .strictObject({
      max: z.int().min(0).max(100_000).describe('Calls that may wait when all are taken.'),
      timeout_ms: milliseconds.optional().describe('How long they wait. Default 5000.'),
    })
    .optional(),
  context_tokens: tokens.optional().describe('What the window of the model holds, input and output together.'),
});

export type RouteConfig = z.infer<typeof routeSchema>;
export type RetryConfig = z.infer<typeof retrySchema>;
export type TargetPolicyConfig = z.infer<typeof targetPolicySchema>;
