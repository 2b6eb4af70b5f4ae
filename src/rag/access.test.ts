import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import { accessTags, maySee, rightsFilter, rightsKey, rightsOf } from './access.ts';
import { tagsOf } from './tags.ts';

const member: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_m',
  name: 'm',
  role: 'member',
  allowedRoutes: [],
  limits: {},
};
const sales: Principal = { ...member, groups: ['sales'], attributes: { region: ['tokyo', 'osaka'] } };
const admin: Principal = { ...member, role: 'admin' };

describe('maySee', () => {
  test('an open document is for everybody, a closed one for whom it names', () => {
    for (const who of [member, sales, admin]) expect(maySee(who, null)).toBe(true);
    expect(maySee(member, { groups: ['sales'] })).toBe(false);
    expect(maySee(sales, { groups: ['hr', 'sales'] })).toBe(true);
    expect(maySee(sales, { attributes: { region: ['osaka'] } })).toBe(true);
    expect(maySee(sales, { attributes: { region: ['nagoya'], office: ['osaka'] } })).toBe(false);
    expect(maySee(member, { roles: ['member'] })).toBe(true);
    expect(maySee(member, { roles: ['admin'] })).toBe(false);
    expect(maySee(admin, { groups: ['hr'] })).toBe(true);
  });

  test('an access that names nobody is for administrators alone', () => {
    for (const nobody of [{}, { roles: [] }, { groups: [] }, { attributes: { region: [] } }]) {
      expect([member, sales, admin].map((who) => maySee(who, nobody))).toEqual([false, false, true]);
    }
  });

  test('kinds are never taken for one another, nor look-alikes for the name', () => {
    expect(maySee({ ...member, groups: ['admin'] }, { roles: ['admin'] })).toBe(false);
    expect(maySee({ ...member, groups: ['a=b'] }, { attributes: { a: ['b'] } })).toBe(false);
    expect(maySee({ ...member, attributes: { 'a=b': ['c'] } }, { attributes: { a: ['b=c'] } })).toBe(false);
    for (const twin of ['ｓales', 'ѕales', 'SALES', 'sales ', 'sa\u200bles', 'sales\0']) {
      expect(maySee({ ...member, groups: [twin] }, { groups: ['sales'] }), JSON.stringify(twin)).toBe(false);
    }
    expect(maySee({ ...member, groups: ['カ\u3099イド'] }, { groups: ['ガイド'] })).toBe(true);
  });
});

test('no metadata makes a tag that says anything of access', () => {
  const text = fc.string({ unit: fc.constantFrom('%', 'a', 'c', 'l', '=', ':', '*', 'group', '2', '5', '3', 'D') });
  const reserved = new Set(
    accessTags({ roles: ['admin', 'member'], groups: ['a', 'c', ''], attributes: { a: ['c'] } }),
  );
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.array(text))), (metadata) => {
      for (const tag of tagsOf(metadata)) {
        expect(tag.startsWith('%acl')).toBe(false);
        expect(reserved.has(tag)).toBe(false);
      }
    }),
  );
});

describe('rightsKey', () => {
  test('tells rights apart, not their order or who has them', () => {
    const keys = [member, sales, admin, { ...member, groups: ['hr'] }, { ...member, attributes: { sales: ['1'] } }];
    expect(new Set(keys.map(rightsKey)).size).toBe(keys.length);
    const again: Principal = {
      ...member,
      keyId: 'key_other',
      groups: ['sales', 'sales'],
      attributes: { region: ['osaka', 'tokyo'] },
    };
    expect(rightsKey(again)).toBe(rightsKey(sales));
    expect(rightsKey({ ...member, groups: ['a,b'] })).not.toBe(rightsKey({ ...member, groups: ['a', 'b'] }));
  });
});

test('an administrator is not filtered, everybody else always is', () => {
  expect(rightsFilter(admin)).toBeUndefined();
  expect(rightsOf(admin)).toBe('all');
  expect(rightsFilter(member)).toEqual({ or: [{ not: { anyTag: ['%acl'] } }, { anyTag: ['%acl=role:member'] }] });
});
