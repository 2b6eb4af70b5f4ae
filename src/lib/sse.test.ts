import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createSseFramer, parseSse, splitSse, type SseEvent } from './sse.ts';

const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
const word = fc.string({ unit: fc.constantFrom('a', ':', ' ', '関', '🏯', '{', '"'), maxLength: 6 });
const line = fc.oneof(
  word.map((text) => `data: ${text}`),
  word.map((text) => `data:${text}`),
  word.map((text) => `event: ${text}`),
  word.map((text) => `: ${text}`),
  word.map((text) => `id: ${text}`),
);
const stream = fc
  .record({
    end: lineEnd,
    events: fc.array(fc.array(line, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
  })
  .map(({ end, events }) => events.map((lines) => lines.map((each) => each + end).join('') + end).join(''));

function runsOf(bytes: Uint8Array, cuts: readonly number[]): { runs: Uint8Array[]; events: SseEvent[] } {
  const framer = createSseFramer();
  const runs: Uint8Array[] = [];
  const at = [...new Set([0, ...cuts, bytes.length])].sort((a, b) => a - b);
  for (const [index, from] of at.entries()) {
    const run = framer.push(bytes.subarray(from, at[index + 1] ?? from));
    if (run) runs.push(run);
  }
  const last = framer.end();
  if (last) runs.push(last);
  return { runs, events: runs.flatMap((run) => parseSse(run)) };
}

describe('createSseFramer', () => {
  test('any split gives the same events, and the bytes as they were', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(400)), (text, cuts) => {
        const bytes = Buffer.from(text);
        const whole = parseSse(bytes);
        const every = runsOf(bytes, [...bytes.keys()]);
        const some = runsOf(
          bytes,
          cuts.filter((cut) => cut <= bytes.length),
        );
        expect(every.events).toEqual(whole);
        expect(some.events).toEqual(whole);
        for (const { runs } of [every, some]) {
          expect(bytes.toString().startsWith(Buffer.concat(runs).toString())).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('an event goes out with the packet that completes it', () => {
    const framer = createSseFramer();
    expect(framer.push(Buffer.from('data: a\n'))).toBeUndefined();
    expect(String(framer.push(Buffer.from('\ndata: b')))).toBe('data: a\n\n');
    expect(String(framer.push(Buffer.from('\r\n\r\n')))).toBe('data: b\r\n\r\n');
  });

  test('an event without its blank line is completed at the end; a comment is not', () => {
    const framer = createSseFramer();
    framer.push(Buffer.from('data: [DONE]'));
    expect(String(framer.end())).toBe('data: [DONE]\n\n');
    framer.push(Buffer.from(': bye\n'));
    expect(framer.end()).toBeUndefined();
  });

  test('an event without an end is bounded', () => {
    const framer = createSseFramer(1000);
    framer.push(Buffer.alloc(900, 'x'));
    expect(() => framer.push(Buffer.alloc(900, 'x'))).toThrow(RangeError);
  });

  test('a megabyte in packets of 100 bytes is held once', () => {
    const text = `data: ${'あ'.repeat(350_000)}\n\n`;
    const bytes = Buffer.from(text);
    const framer = createSseFramer();
    let run: Uint8Array | undefined;
    for (let at = 0; at < bytes.length; at += 100) run = framer.push(bytes.subarray(at, at + 100)) ?? run;
    expect(run?.length).toBe(bytes.length);
  });
});

describe('parseSse', () => {
  test('joins lines of data, skips comments and a byte order mark', () => {
    const run = '\uFEFF: hello\nevent: x\nid: 1\ndata: a\ndata:  b\n\n:only\n\nevent: ping\n\ndata\n\n';
    expect(parseSse(Buffer.from(run))).toEqual([
      { event: 'x', data: 'a\n b' },
      { event: 'ping', data: '' },
      { data: '' },
    ]);
  });
});

test('splitSse cuts a run into its events and loses no byte', () => {
  fc.assert(
    fc.property(stream, (text) => {
      const pieces = splitSse(Buffer.from(text));
      expect(Buffer.concat(pieces).toString()).toBe(text);
      expect(pieces.flatMap((piece) => parseSse(piece))).toEqual(parseSse(Buffer.from(text)));
      for (const piece of pieces) expect(parseSse(piece).length).toBeLessThanOrEqual(1);
    }),
  );
});
