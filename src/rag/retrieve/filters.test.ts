import { describe, expect, test } from 'bun:test';
import { DEFAULT_TENANT } from '../../spec/ids.ts';
import type { Principal } from '../../spec/principal.ts';
import { rightsFilter } from '../access.ts';
import { searchFilter } from './filters.ts';

const member: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_m',
  name: 'm',
  role: 'member',
  allowedRoutes: [],
  limits: {},
};

describe('searchFilter', () => {
  test('rights and conditions are both in force, whatever the conditions say', () => {
    const rights = rightsFilter(member) ?? { and: [] };
    expect(searchFilter({ principal: member })).toEqual(rights);
    expect(searchFilter({ principal: member, filters: {} })).toEqual(rights);
    expect(searchFilter({ principal: member, filters: { $or: [{ a: 1 }, { $not: { a: 1 } }] } })).toEqual({
      and: [rights, { or: [{ anyTag: ['a=1'] }, { not: { anyTag: ['a=1'] } }] }],
    });
  });

  test('an administrator has conditions alone', () => {
    const principal: Principal = { ...member, role: 'admin' };
    expect(searchFilter({ principal })).toBeUndefined();
    expect(searchFilter({ principal, filters: { lang: 'ja' } })).toEqual({ anyTag: ['lang=ja'] });
  });
});
