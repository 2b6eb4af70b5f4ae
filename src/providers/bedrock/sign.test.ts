import { describe, expect, test } from 'bun:test';
import { Secret } from '../../lib/secret.ts';
import { createSigner } from './sign.ts';

const AT = Date.parse('2015-08-30T12:36:00Z');
const signer = (more: { sessionToken?: Secret; nowMs?: () => number; service?: string } = {}) =>
  createSigner({
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
    region: 'us-east-1',
    service: 'service',
    nowMs: () => AT,
    ...more,
  });
const signature = (headers: Record<string, string>): string | undefined =>
  /Signature=([0-9a-f]+)$/.exec(headers['authorization'] ?? '')?.[1];
const request = (method: 'GET' | 'POST', path: string, headers: Record<string, string> = {}, body = '') => ({
  method,
  url: new URL(path, 'https://example.amazonaws.com'),
  headers,
  body,
});

describe('the vendor\u2019s published test suite', () => {
  test.each([
    ['get-vanilla', 'GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST', '/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-vanilla-query-order-key-case',
      'GET',
      '/?Param2=value2&Param1=value1',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
  ] as const)('%s', (_, method, path, expected) => {
    const headers = signer()(request(method, path, { 'content-type': 'application/json', accept: '*/*' }));
    expect(headers['authorization']).toStartWith(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ',
    );
    expect(signature(headers)).toBe(expected);
    expect(headers['x-amz-date']).toBe('20150830T123600Z');
  });
});

test('a lent key\u2019s token goes along and is covered', () => {
  const headers = signer({ sessionToken: new Secret('token-1') })(request('GET', '/'));
  expect(headers['x-amz-security-token']).toBe('token-1');
  expect(headers['authorization']).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token');
});

test('what the signature covers: method, path, body, the vendor\u2019s headers, and the day', () => {
  const plain = signature(signer()(request('POST', '/model/a', {}, '{}')));
  const others = [
    signer()(request('GET', '/model/a', {}, '{}')),
    signer()(request('POST', '/model/a%3A0', {}, '{}')),
    signer()(request('POST', '/model/a', {}, '{ }')),
    signer()(request('POST', '/model/a', { 'x-amzn-bedrock-trace': 'ENABLED' }, '{}')),
    signer({ nowMs: () => AT + 1_000 })(request('POST', '/model/a', {}, '{}')),
    signer({ service: 'bedrock' })(request('POST', '/model/a', {}, '{}')),
  ];
  const all = [plain, ...others.map(signature)];
  expect(new Set(all).size).toBe(all.length);
  expect(signature(signer()(request('POST', '/model/a', { 'user-agent': 'x' }, '{}')))).toBe(plain ?? '');
});

test('keys are made anew at midnight', () => {
  let now = Date.parse('2015-08-30T23:59:59Z');
  const sign = signer({ nowMs: () => now });
  sign(request('GET', '/'));
  now = AT + 86_400_000;
  const fresh = signer({ nowMs: () => now });
  expect(sign(request('GET', '/'))).toEqual(fresh(request('GET', '/')));
});
