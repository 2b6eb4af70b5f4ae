import type { JsonObject, JsonValue } from '../../lib/json.ts';
import type { IndexFilter } from '../../ports/chunk-index.ts';
import type { RetrievalSettings, TimeDecay, TrustTiers } from '../../spec/collection.ts';
import type { HitExplain } from '../../spec/document.ts';
import { isTagValue, tagOf } from '../tags.ts';

const DAY_MS = 86_400_000;
/** Numbers up to here are years, then seconds, then milliseconds since 1970. */
const LAST_YEAR = 9_999;
const LAST_SECONDS = 100_000_000_000;

/** What a score is multiplied with for the age and the trust tier of its document; nothing where neither counts. */
export function scoreFactors(
  { timeDecay, trust }: Pick<RetrievalSettings, 'timeDecay' | 'trust'>,
  metadata: JsonObject,
  nowMs: number,
): NonNullable<HitExplain['factors']> | undefined {
  if (timeDecay === null && trust === null) return undefined;
  return {
    ...(timeDecay !== null && { timeDecay: decayOf(timeDecay, metadata, nowMs) }),
    ...(trust !== null && { trust: trustOf(trust, metadata) }),
  };
}

/** Keeps the tiers that are worth nothing out of both legs, so that they take no place of a candidate. */
export function trustedOnly(trust: TrustTiers | null): IndexFilter | undefined {
  if (trust === null) return undefined;
  const shut = Object.entries(trust.factors).flatMap(([tier, factor]) =>
    factor <= 0 ? [tagOf(trust.field, tier)] : [],
  );
  return shut.length === 0 ? undefined : { not: { anyTag: shut } };
}

/**
 * What no tier presses down, where some tier does: searched by itself beside everything, so that planted passages of a
 * low tier, however many, push none of it out of the candidates.
 */
export function unpressedOnly(trust: TrustTiers | null): IndexFilter | undefined {
  if (trust === null) return undefined;
  const low = Object.entries(trust.factors).flatMap(([tier, factor]) => (factor < 1 ? [tagOf(trust.field, tier)] : []));
  return low.length === 0 ? undefined : { not: { anyTag: low } };
}

/** 1 where the metadata names no date that can be read, or one to come. */
function decayOf({ field, halfLifeDays }: TimeDecay, metadata: JsonObject, nowMs: number): number {
  const dateMs = dateOf(metadata[field]);
  if (dateMs === undefined || halfLifeDays <= 0) return 1;
  return 0.5 ** (Math.max(0, nowMs - dateMs) / DAY_MS / halfLifeDays);
}

function dateOf(value: JsonValue | undefined): number | undefined {
  if (typeof value === 'string') {
    const dateMs = Date.parse(value);
    return Number.isNaN(dateMs) ? undefined : dateMs;
  }
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return undefined;
  if (value <= LAST_YEAR) return Date.UTC(value, 0, 1);
  return value < LAST_SECONDS ? value * 1000 : value;
}

/** The least factor of the tiers that the metadata names: who is in two tiers is trusted as the lower one. */
function trustOf({ field, factors }: TrustTiers, metadata: JsonObject): number {
  const value = metadata[field];
  const tiers = (Array.isArray(value) ? value : [value]).filter(isTagValue).map(String);
  return Math.min(1, ...tiers.map((tier) => (Object.hasOwn(factors, tier) ? Math.max(0, factors[tier] ?? 1) : 1)));
}
