import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { DEFAULT_TENANT } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';
import { actAs } from './act-as.ts';

const base = { tenantId: DEFAULT_TENANT, keyId: 'key_a', name: 'a', allowedRoutes: ['fast'], limits: {} } as const;
const admin: Principal = { ...base, role: 'admin' };
const member: Principal = {
  ...base,
  role: 'member',
  groups: ['hr', 'ops'],
  attributes: { region: ['tokyo', 'osaka'] },
};

test('an administrator acts for anybody, and is none any more', () => {
  expect(actAs(admin, { groups: ['x'], attributes: { a: ['1'] } })).toEqual({
    ...base,
    role: 'member',
    groups: ['x'],
    attributes: { a: ['1'] },
    acting: true,
  });
});

test('a member acts for whom it covers, and for nobody else', () => {
  expect(actAs(member, { groups: ['hr'], attributes: {} })).toEqual({
    ...member,
    groups: ['hr'],
    attributes: {},
    acting: true,
  });
  expect(() => actAs(member, { groups: ['hr', 'sales'], attributes: {} })).toThrow('(groups)');
  expect(() => actAs(member, { groups: [], attributes: { region: ['nagoya'] } })).toThrow('(attributes.region)');
  expect(() => actAs(member, { groups: [], attributes: { constructor: ['x'] } })).toThrow('(attributes.constructor)');
});

test('acting never widens, however often', () => {
  const name = fc.constantFrom('hr', 'ops', 'sales', 'region');
  const as = fc.record({ groups: fc.array(name), attributes: fc.dictionary(name, fc.array(name)) });
  fc.assert(
    fc.property(as, as, (first, second) => {
      const acted = actAs(admin, first);
      try {
        const again = actAs(acted, second);
        for (const group of again.groups ?? []) expect(acted.groups).toContain(group);
        for (const [key, values] of Object.entries(again.attributes ?? {})) {
          for (const value of values) expect(acted.attributes?.[key]).toContain(value);
        }
      } catch (thrown) {
        expect(String(thrown)).toContain('rights it lacks');
      }
    }),
  );
});
