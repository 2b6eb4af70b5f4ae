import { describe, expect, test } from 'bun:test';
import { Secret } from '../lib/secret.ts';
import { createVault } from './vault.ts';

describe('the vault', () => {
  const vault = createVault({ masterKey: new Secret('a master key of the test, long enough') });
  const text = new Secret('sk-upstream-日本');

  test('gives back what was sealed', () => {
    expect(vault.open(vault.seal(text, 'provider/a'), 'provider/a').reveal()).toBe('sk-upstream-日本');
  });

  test('seals the same text differently each time and shows nothing of it', () => {
    const [first, second] = [vault.seal(text, 'a'), vault.seal(text, 'a')];
    expect(first).not.toBe(second);
    expect(Buffer.from(first.split('.')[2] ?? '', 'base64url').toString('utf8')).not.toContain('upstream');
  });

  test('opens nothing for another place, with another master key, or after a change', () => {
    const sealed = vault.seal(text, 'provider/a');
    const other = createVault({ masterKey: new Secret('another master key of the test, also long') });
    expect(() => vault.open(sealed, 'provider/b')).toThrow('does not open');
    expect(() => other.open(sealed, 'provider/a')).toThrow('does not open');
    const [format, key, content] = sealed.split('.');
    const changed = Buffer.from(content ?? '', 'base64url');
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(() => vault.open([format, key, changed.toString('base64url')].join('.'), 'provider/a')).toThrow();
    expect(() => vault.open('nonsense', 'provider/a')).toThrow('unknown form');
  });
});
