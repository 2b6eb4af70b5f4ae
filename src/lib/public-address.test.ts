import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { isPublicAddress } from './public-address.ts';

test.each([
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:a9fe:a9fe',
  '::ffff:0:127.0.0.1',
  '64:ff9b::127.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::8.8.8.8',
  '100::1',
  'fc00::1',
  'fd00:ec2::254',
  'fdff:ffff::1',
  'fe80::1',
  'fe80::1%eth0',
  '2606:4700::1%eth0',
  'febf::1',
  'fec0::1',
  'ff02::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:a9fe:a9fe::1',
  '3fff::1',
  '5f00::1',
  '',
  'localhost',
  '127.1',
  '0x7f000001',
  '2130706433',
  '8.8.8',
  '8.8.8.8 ',
  '1.2.3.4.5',
  '::1::',
])('%s is not', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.17',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2000::1',
  '2606:4700:4700::1111',
  '2001:200::1',
  '2001:4860:4860::8888',
  '2003::1',
  '2a00:1450:4001:80b::200e',
  '3ffe:ffff::1',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
])('%s is', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test('an IPv4 address is judged alike in every notation of IPv6 that holds it', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const parts = address.split('.').map(Number);
      const hex = (high = 0, low = 0): string => (high * 256 + low).toString(16);
      const groups = `${hex(parts[0], parts[1])}:${hex(parts[2], parts[3])}`;
      const verdict = isPublicAddress(address);
      for (const written of [
        `::ffff:${address}`,
        `::ffff:${groups}`,
        `0:0:0:0:0:ffff:${groups}`,
        `64:ff9b::${address}`,
      ]) {
        expect(isPublicAddress(written)).toBe(verdict);
      }
    }),
  );
});

test('every other address outside of what is given out is not', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const first = Number.parseInt(address.startsWith('::') ? '0' : (address.split(':')[0] ?? '0'), 16);
      fc.pre(first < 0x2000 || first > 0x3fff);
      fc.pre(!address.includes('ffff:') && first !== 0x64);
      expect(isPublicAddress(address)).toBe(false);
    }),
  );
});
