import { z } from 'zod';
import type { Limits } from '../spec/limits.ts';

const requests = z.int().min(1).max(1_000_000_000);
const tokens = z.int().min(1).max(1_000_000_000_000);
const money = z.number().min(0).max(1_000_000_000);

/** Limits of one subject, as the file and the API write them. */
export const limitsSchema = z.strictObject({
  requests_per_second: requests.optional(),
  requests_per_minute: requests.optional(),
  requests_per_hour: requests.optional(),
  requests_per_day: requests.optional(),
  tokens_per_second: tokens.optional(),
  tokens_per_minute: tokens.optional(),
  tokens_per_hour: tokens.optional(),
  tokens_per_day: tokens.optional(),
  concurrency: z.int().min(1).max(100_000).optional().describe('Calls at once.'),
  budget_usd_per_day: money.optional().describe('Calendar day, UTC.'),
  budget_usd_per_month: money.optional().describe('Calendar month, UTC.'),
  shadow: z.boolean().optional().describe('Count and report what would be refused, and let it pass.'),
});

export type LimitsConfig = z.infer<typeof limitsSchema>;

const NAMES = [
  ['requests_per_second', 'requestsPerSecond'],
  ['requests_per_minute', 'requestsPerMinute'],
  ['requests_per_hour', 'requestsPerHour'],
  ['requests_per_day', 'requestsPerDay'],
  ['tokens_per_second', 'tokensPerSecond'],
  ['tokens_per_minute', 'tokensPerMinute'],
  ['tokens_per_hour', 'tokensPerHour'],
  ['tokens_per_day', 'tokensPerDay'],
  ['concurrency', 'concurrency'],
] as const;

/** Limits in our own words; money becomes micro-dollars. */
export function limitsOf(config: LimitsConfig): Limits {
  const limits: Limits = {};
  for (const [theirs, ours] of NAMES) {
    const value = config[theirs];
    if (value !== undefined) limits[ours] = value;
  }
  if (config.budget_usd_per_day !== undefined) limits.dailyBudgetMicros = Math.round(config.budget_usd_per_day * 1e6);
  if (config.budget_usd_per_month !== undefined) limits.budgetMicros = Math.round(config.budget_usd_per_month * 1e6);
  if (config.shadow === true) limits.shadow = true;
  return limits;
}

/** The same limits as the API shows them. */
export function shownLimits(limits: Limits): LimitsConfig {
  const shown: LimitsConfig = {};
  for (const [theirs, ours] of NAMES) {
    const value = limits[ours];
    if (value !== undefined) shown[theirs] = value;
  }
  if (limits.dailyBudgetMicros !== undefined) shown.budget_usd_per_day = limits.dailyBudgetMicros / 1e6;
  if (limits.budgetMicros !== undefined) shown.budget_usd_per_month = limits.budgetMicros / 1e6;
  if (limits.shadow === true) shown.shadow = true;
  return shown;
}
