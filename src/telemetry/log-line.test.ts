import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { Secret } from '../lib/secret.ts';
import { newId } from '../spec/ids.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { noUsage } from '../spec/usage.ts';
import { callFields, callLine } from './call-line.ts';
import { createTimeText, jsonText, logLine } from './log-line.ts';

const TIME = '2026-11-21T09:00:00.000Z';
/** Bytes that a terminal or an editor acts on, beside the line feed at a line's end. */
// eslint-disable-next-line no-control-regex
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

describe('a line of the log', () => {
  test('is one line of JSON, whatever its texts hold', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (event, text) => {
        const line = logLine('info', TIME, event, { text, error: new Error(text) });
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(line).not.toMatch(ACTIVE);
        expect(JSON.parse(line)).toMatchObject({ level: 'info', time: TIME, msg: event });
      }),
    );
  });

  test('attack 19: line feeds, terminal sequences and bidirectional overrides do not get through', () => {
    const nasty = 'a\r\n{"level":"error"}\u001b[31m\u009b31m\u202e\u2028\u0000"';
    for (const line of [logLine('info', TIME, 'x', { nasty }), callLine('info', TIME, entry({ route: nasty }))]) {
      expect(line.split('\n')).toHaveLength(2);
      expect(line).not.toMatch(ACTIVE);
    }
    expect(JSON.parse(callLine('info', TIME, entry({ route: nasty })))).toMatchObject({ route: nasty });
    expect(JSON.parse(jsonText(nasty))).toBe(nasty);
  });

  test('X1: secrets do not get through, in fields, errors, causes and stacks', () => {
    const key = 'sk-proj-abcdefghijklmnop1234';
    const cause = new Error(`Bearer ${key}`);
    const error = new Error(`refused https://x.test/?key=${key}`, { cause });
    const line = logLine('warn', TIME, 'failed', { key, nested: { list: [key] }, error, secret: new Secret(key) });
    expect(line).not.toContain('abcdefghijklmnop');
    expect(line).toContain('[secret]');
    const told = JSON.parse(line) as { error: { name: string; message: string; stack: string; cause: object } };
    expect(told.error).toMatchObject({ name: 'Error', message: 'refused https://x.test/?key=[secret]' });
    expect(told.error.stack).toContain('log-line.test.ts');
    expect(told.error.cause).toEqual({ name: 'Error', message: 'Bearer [secret]' });
  });

  test('what cannot be written, or is too long, is left out and said so', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(JSON.parse(logLine('info', TIME, 'x', circle))).toMatchObject({ unreadable: true, msg: 'x' });
    const list = Array.from({ length: 10_000 }, () => 'ten bytes.');
    expect(logLine('info', TIME, 'x', { list }).length).toBeLessThan(200);
    expect(JSON.parse(logLine('info', TIME, 'x', { big: 5n }))).toMatchObject({ big: '5' });
    expect(JSON.parse(logLine('info', TIME, 'x', {}))).toEqual({ level: 'info', time: TIME, msg: 'x' });
  });
});

describe('the line of a call', () => {
  test('says the same as the general way', () => {
    for (const given of [
      {},
      { costMicros: null, streamed: true, team: 'a "b"', cache: 'hit' as const, traceId: 'ab'.repeat(16) },
      { route: '関所/*', target: 'up/モデル', keyId: newId('key') },
    ]) {
      const general = logLine('info', TIME, 'model_call', callFields(entry(given)));
      expect(JSON.parse(callLine('info', TIME, entry(given)))).toEqual(JSON.parse(general));
    }
  });
});

test('the time is that of the clock, also within a second and over its end', () => {
  const text = createTimeText();
  for (const at of [0, 7, 999, 1_000, 59_999.9, 1_800_000_000_123, 1_800_000_000_023, 1_799_999_999_999]) {
    expect(text(at)).toBe(new Date(Math.floor(at)).toISOString());
  }
});

function entry(given: Partial<LedgerEntry>): LedgerEntry {
  return {
    id: 'led_1',
    requestId: 'req_1',
    tenantId: 'ten_a',
    keyId: 'key_a',
    atMs: 0,
    operation: 'chat',
    route: 'fast',
    target: 'up/gpt',
    wire: 'openai',
    upstreamModel: 'gpt',
    usage: { ...noUsage('reported'), inputTokens: 3, outputTokens: 4 },
    costMicros: 5,
    outcome: 'ok',
    attempts: 1,
    streamed: false,
    durationMs: 12.6,
    ...given,
  };
}
