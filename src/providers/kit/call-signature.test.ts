import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { markSignature, signedCallId, splitCallId, unmarkSignature } from './call-signature.ts';

test('a signature travels in an id of letters that every wire takes, and comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4_000 }), (bytes) => {
      const signature = Buffer.from(bytes).toString('base64');
      const carried = signedCallId('call_r-1_0', signature);
      expect(carried).toMatch(/^[A-Za-z0-9_-]+$/);
      expect(splitCallId(carried)).toEqual({ id: 'call_r-1_0', signature });
    }),
  );
});

test('no signature, and one that is too long, leave the id as it is', () => {
  for (const signature of [undefined, '', 'A'.repeat(20_000)]) expect(signedCallId('a', signature)).toBe('a');
  expect(splitCallId('toolu_01')).toEqual({ id: 'toolu_01' });
});

test('a signature is given back to its maker only', () => {
  expect(unmarkSignature(markSignature('c2ln'))).toBe('c2ln');
  for (const foreign of [undefined, '', 'c2ln']) expect(unmarkSignature(foreign)).toBeUndefined();
});
