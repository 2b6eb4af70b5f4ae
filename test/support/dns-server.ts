import { createSocket } from 'node:dgram';

/** What a DNS server of a test knows of a name. */
export interface DnsRecords {
  a?: string[];
  /** Whole addresses of eight groups. */
  aaaa?: string[];
  srv?: { priority: number; weight: number; port: number; name: string }[];
}

/** A DNS server on a free port of the loopback that answers A, AAAA and SRV questions over UDP. */
export interface DnsServer {
  /** For `Resolver.setServers`. */
  readonly address: string;
  /** Names that were asked for, with their type. */
  readonly questions: string[];
  set(name: string, records: DnsRecords | undefined): void;
  stop(): Promise<void>;
}

const TYPES: Record<number, 'a' | 'aaaa' | 'srv'> = { 1: 'a', 28: 'aaaa', 33: 'srv' };
const HEADER_BYTES = 12;
/** Nothing may be kept: a resolver holds an answer for as long as it is told. */
const TTL_S = 0;

/** Starts it; a name that was not set does not exist (NXDOMAIN). Message format: RFC 1035, SRV: RFC 2782. */
export async function startDnsServer(): Promise<DnsServer> {
  const records = new Map<string, DnsRecords>();
  const questions: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const { name, type, end } = questionOf(message);
    const kind = TYPES[type];
    questions.push(`${kind ?? type} ${name}`);
    const known = records.get(name);
    const data = kind === undefined ? [] : dataOf(known ?? {}, kind);
    const header = Buffer.alloc(HEADER_BYTES);
    message.copy(header, 0, 0, 2);
    // An authoritative answer; the last three bits say whether the name exists.
    header.writeUInt16BE(known === undefined ? 0x8583 : 0x8580, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(data.length, 6);
    const answers = data.map((each) => {
      const head = Buffer.alloc(12);
      // The name is the one at the start of the question.
      head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
      head.writeUInt16BE(type, 2);
      head.writeUInt16BE(1, 4);
      head.writeUInt32BE(TTL_S, 6);
      head.writeUInt16BE(each.length, 10);
      return Buffer.concat([head, each]);
    });
    socket.send(Buffer.concat([header, message.subarray(HEADER_BYTES, end), ...answers]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    set: (name, known) => {
      if (known === undefined) records.delete(name);
      else records.set(name, known);
    },
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function questionOf(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('ascii', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function dataOf(records: DnsRecords, kind: 'a' | 'aaaa' | 'srv'): Buffer[] {
  if (kind === 'a') return (records.a ?? []).map((address) => Buffer.from(address.split('.').map(Number)));
  if (kind === 'aaaa') {
    return (records.aaaa ?? []).map((address) =>
      Buffer.from(address.split(':').flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff])),
    );
  }
  return (records.srv ?? []).map(({ priority, weight, port, name }) => {
    const head = Buffer.alloc(6);
    head.writeUInt16BE(priority, 0);
    head.writeUInt16BE(weight, 2);
    head.writeUInt16BE(port, 4);
    const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
    return Buffer.concat([head, ...labels, Buffer.from([0])]);
  });
}
