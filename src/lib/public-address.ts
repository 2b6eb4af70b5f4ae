import { isIP } from 'node:net';

type Range = readonly [network: string, bits: number];

/** IPv4 that is not one host on the public internet (IANA special-purpose registry, RFC 6890 and later). */
const NOT_PUBLIC_V4: readonly Range[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // Looks public, and is the host of every virtual machine in one vendor's cloud.
  ['168.63.129.16', 32],
];

/** Within the one range of IPv6 that is given out, what is not a host: protocols, tunnels to IPv4, examples. */
const NOT_PUBLIC_V6: readonly Range[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
];
const GLOBAL_V6: Range = ['2000::', 3];
/** Prefixes whose last 32 bits are an IPv4 address: mapped, and the well-known one of NAT64. */
const EMBEDDING_V6: readonly Range[] = [
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
];

/**
 * Whether an address is that of a host on the public internet. Everything else is not: private, loopback,
 * link-local and multicast addresses, tunnels, ranges for examples, and what is no address in full notation.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return isPublicV4(v4Number(address));
    case 6:
      return isPublicV6(v6Number(address));
    default:
      return false;
  }
}

function isPublicV4(value: bigint): boolean {
  return !NOT_PUBLIC_V4.some(
    ([network, bits]) => value >> BigInt(32 - bits) === v4Number(network) >> BigInt(32 - bits),
  );
}

function isPublicV6(value: bigint | undefined): boolean {
  if (value === undefined) return false;
  if (EMBEDDING_V6.some((range) => inV6(value, range))) return isPublicV4(value & 0xffffffffn);
  return inV6(value, GLOBAL_V6) && !NOT_PUBLIC_V6.some((range) => inV6(value, range));
}

function inV6(value: bigint, [network, bits]: Range): boolean {
  const base = v6Number(network);
  return base !== undefined && value >> BigInt(128 - bits) === base >> BigInt(128 - bits);
}

function v4Number(address: string): bigint {
  return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

/** The 128 bits of a valid IPv6 address; undefined with a zone, which only a local address has. */
function v6Number(address: string): bigint | undefined {
  if (address.includes('%')) return undefined;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  let text = address;
  if (dotted !== null) {
    const low = v4Number(dotted[2] ?? '');
    text = `${dotted[1] ?? ''}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  }
  const [head = '', tail] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}
