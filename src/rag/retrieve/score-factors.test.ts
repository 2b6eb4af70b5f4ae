import { describe, expect, test } from 'bun:test';
import type { JsonObject } from '../../lib/json.ts';
import { scoreFactors, trustedOnly, unpressedOnly } from './score-factors.ts';

const nowMs = Date.UTC(2024, 0, 31);
const timeDecay = { field: 'date', halfLifeDays: 30 };
const trust = { field: 'tier', factors: { official: 1, forum: 0.5, spam: 0 } };

describe('scoreFactors', () => {
  test('neither set, nothing is multiplied', () => {
    expect(scoreFactors({ timeDecay: null, trust: null }, { date: '2001-01-01' }, nowMs)).toBeUndefined();
  });

  test.each<[string, JsonObject, number]>([
    ['a day of ISO', { date: '2024-01-01' }, 0.5],
    ['seconds', { date: Date.UTC(2024, 0, 1) / 1000 }, 0.5],
    ['milliseconds', { date: Date.UTC(2024, 0, 1) }, 0.5],
    ['a year', { date: 2024 }, 0.5],
    ['two half-lives', { date: '2023-12-02' }, 0.25],
    ['the future', { date: '2030-01-01' }, 1],
    ['no date', {}, 1],
    ['nonsense', { date: 'yesterday-ish' }, 1],
    ['another type', { date: { year: 2024 } }, 1],
    ['a negative number', { date: -5 }, 1],
  ])('age: %s', (_, metadata, factor) => {
    expect(scoreFactors({ timeDecay, trust: null }, metadata, nowMs)?.timeDecay).toBeCloseTo(factor, 6);
  });

  test.each<[string, JsonObject, number]>([
    ['a tier', { tier: 'forum' }, 0.5],
    ['a tier that is shut', { tier: 'spam' }, 0],
    ['an unknown tier', { tier: 'blog' }, 1],
    ['no tier', {}, 1],
    ['two tiers', { tier: ['official', 'forum'] }, 0.5],
    ['a name of the language itself', { tier: '__proto__' }, 1],
    ['another', { tier: 'constructor' }, 1],
  ])('trust: %s', (_, metadata, factor) => {
    expect(scoreFactors({ timeDecay: null, trust }, metadata, nowMs)?.trust).toBe(factor);
  });
});

test('tiers that are worth nothing are kept out before ranking', () => {
  expect(trustedOnly(trust)).toEqual({ not: { anyTag: ['tier=spam'] } });
  expect(trustedOnly({ field: 'tier', factors: { forum: 0.5 } })).toBeUndefined();
  expect(trustedOnly(null)).toBeUndefined();
});

test('what no tier presses down can be asked for by itself', () => {
  expect(unpressedOnly(trust)).toEqual({ not: { anyTag: ['tier=forum', 'tier=spam'] } });
  expect(unpressedOnly({ field: 'tier', factors: { official: 1 } })).toBeUndefined();
  expect(unpressedOnly(null)).toBeUndefined();
});
