import { expect, test } from 'bun:test';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import { requireNotWider, type WantedRights } from './require-not-wider.ts';

const admin: Principal & { expiresMs: number | null } = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_a',
  name: 'a',
  role: 'admin',
  allowedRoutes: ['fast', 'gpt-*'],
  limits: { requestsPerMinute: 100, budgetMicros: 5_000_000 },
  team: 'search',
  expiresMs: 2_000,
};
const fits: WantedRights = {
  role: 'admin',
  allowedRoutes: ['gpt-4*', 'fast'],
  limits: { requestsPerMinute: 100, budgetMicros: 1 },
  team: 'search',
  groups: ['hr'],
  attributes: { region: ['tokyo'] },
  expiresMs: 2_000,
};

test('what lies within the own rights may be given away', () => {
  expect(() => requireNotWider(admin, fits)).not.toThrow();
  expect(() =>
    requireNotWider({ ...admin, allowedRoutes: [], limits: {} }, { ...fits, allowedRoutes: [] }),
  ).not.toThrow();
  const { team: _, ...teamless } = admin;
  expect(() =>
    requireNotWider({ ...teamless, expiresMs: null }, { ...fits, team: null, expiresMs: null }),
  ).not.toThrow();
});

test.each<[string, Partial<WantedRights>]>([
  ['every route', { allowedRoutes: [] }],
  ['another route', { allowedRoutes: ['fast', 'slow'] }],
  ['a wider pattern', { allowedRoutes: ['g*'] }],
  ['no budget', { limits: { requestsPerMinute: 1 } }],
  ['a larger budget', { limits: { requestsPerMinute: 1, budgetMicros: 5_000_001 } }],
  ['another team', { team: 'ads' }],
  ['no team', { team: null }],
  ['a later end', { expiresMs: 2_001 }],
  ['no end', { expiresMs: null }],
  ['limits that only watch', { limits: { requestsPerMinute: 1, budgetMicros: 1, shadow: true } }],
])('%s is more than the key has', (_, more) => {
  expect(() => requireNotWider(admin, { ...fits, ...more })).toThrow('more than this one');
});

test('a member makes no administrator', () => {
  expect(() => requireNotWider({ ...admin, role: 'member' }, fits)).toThrow('role');
});

test('groups and attributes of others are more than a member has, and no more than an administrator sees', () => {
  const { role: _, ...rest } = admin;
  const member = {
    ...rest,
    role: 'member' as const,
    groups: ['hr', 'ops'],
    attributes: { region: ['tokyo', 'osaka'] },
  };
  const wanted: WantedRights = { ...fits, role: 'member' };
  expect(() => requireNotWider(member, wanted)).not.toThrow();
  expect(() => requireNotWider(member, { ...wanted, groups: ['sales'] })).toThrow('(groups)');
  expect(() => requireNotWider(member, { ...wanted, attributes: { region: ['nagoya'] } })).toThrow('attributes.region');
  expect(() => requireNotWider(member, { ...wanted, attributes: { toString: ['x'] } })).toThrow('attributes.toString');
  expect(() => requireNotWider({ ...rest, role: 'member' }, wanted)).toThrow('(groups)');
  expect(() => requireNotWider(admin, { ...fits, groups: ['sales'] })).not.toThrow();
});
