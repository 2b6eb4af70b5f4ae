import { afterEach, describe, expect, test } from 'bun:test';
import { drawn, LATIN_FONT, pdfOf } from '../../../../test/support/make-files.ts';
import { createParsePool, type ParsePool, type ParsePoolOptions } from './parse-pool.ts';
import type { ParsedPart } from './parsed.ts';

let pool: ParsePool | undefined;
afterEach(() => pool?.close());

const open = (options: ParsePoolOptions): ParsePool => (pool = createParsePool(options));
const text = (content: string) => ({
  name: 'a.txt',
  format: 'text' as const,
  bytes: new TextEncoder().encode(content),
});
/** Takes a second or so to read. */
const slow = {
  name: 'a.pdf',
  format: 'pdf' as const,
  bytes: pdfOf(
    LATIN_FONT,
    Array.from({ length: 500 }, (_, page) => drawn([72, 720, `(Page number ${page} of the long road.)`])),
  ),
};

async function read(from: ParsePool, task: Parameters<ParsePool['read']>[0]): Promise<ParsedPart[]> {
  const parts: ParsedPart[] = [];
  await from.read(task, (part) => parts.push(part));
  return parts;
}
const reasonOf = (reading: Promise<unknown>): Promise<string> =>
  reading.then(
    () => 'was read',
    (error: unknown) => String(error),
  );

describe('workers that read files', () => {
  test('many files share two workers, and every one is read', async () => {
    const from = open({});
    const read100 = await Promise.all(Array.from({ length: 100 }, (_, at) => read(from, text(`Text ${at}.`))));
    expect(read100.map(([part]) => part)).toEqual(
      Array.from({ length: 100 }, (_, at) => ({
        path: '',
        documents: [{ text: `Text ${at}.`, headings: [], metadata: {} }],
      })),
    );
  });

  test('one that hangs is given up, and the next is read by another worker', async () => {
    const from = open({ workers: 1, timeoutMs: 60_000, totalTimeoutMs: 20 });
    const hanging = reasonOf(read(from, slow));
    const behind = read(from, text('Read all the same.')).catch(String);
    expect(await hanging).toContain('took longer than 20 ms');
    // Starting a worker takes longer than these 20 ms, or not: what counts is that the line moves on.
    expect(String(await behind)).toMatch(/object Object|took longer/);
    expect(await reasonOf(read(open({ workers: 1 }), text('More.')))).toBe('was read');
  });

  test('the line has an end', async () => {
    const from = open({ workers: 1, maxWaiting: 1 });
    const [first, second, third] = [read(from, slow), read(from, text('Waits.')), read(from, text('Too many.'))];
    expect(await reasonOf(third)).toContain('1 files wait to be read');
    expect(await second).toHaveLength(1);
    expect(await first).toHaveLength(1);
  });

  test('a file that takes too much memory is given up, and the next is read', async () => {
    let bytes = 0;
    const from = open({ workers: 1, maxGrowthBytes: 1_000, residentBytes: () => (bytes += 600) });
    const greedy = reasonOf(read(from, { ...slow }));
    expect(await greedy).toContain('too much memory');
    bytes = -1_000_000;
    expect(await read(from, text('Read.'))).toHaveLength(1);
  });

  test('what waits when the process ends, fails', async () => {
    const from = open({ workers: 1 });
    const reading = reasonOf(read(from, slow));
    from.close();
    expect(await reading).toContain('the process ends');
  });
});
