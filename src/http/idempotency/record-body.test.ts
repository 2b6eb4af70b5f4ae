import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { recordBody, type RecordedEnd } from './record-body.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const source = (pieces: readonly Uint8Array[], failure?: Error): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      for (const piece of pieces) controller.enqueue(piece);
      if (failure === undefined) controller.close();
    },
    pull: (controller) => failure && controller.error(failure),
  });
const TURN = 'data: {"content":"関所"}\n\n';
const DONE = 'data: [DONE]\n\n';

test('the end of a stream is held back until its recording is settled', async () => {
  let settle: () => void = () => undefined;
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  let told = false;
  const stream = recordBody(source([bytes(TURN), bytes(TURN), bytes(DONE)]), {
    maxBytes: 1_000,
    onEnd: () => {
      told = true;
      return settled;
    },
  });
  const reader = stream.getReader();
  let seen = '';
  for (let at = 0; at < 2; at++) seen += new TextDecoder().decode((await reader.read()).value);
  expect(seen).toBe(TURN + TURN);
  expect(told).toBe(false);
  let end: string | undefined;
  const last = reader.read().then(({ value }) => (end = new TextDecoder().decode(value)));
  for (let turns = 0; turns < 50; turns++) await Promise.resolve();
  expect(told).toBe(true);
  expect(end).toBeUndefined();
  settle();
  await last;
  expect(end).toBe(DONE);
  expect((await reader.read()).done).toBe(true);
});

test('however a stream is cut, the bytes are the same and the whole is recorded', async () => {
  const whole = bytes(TURN + TURN + DONE);
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(whole.length), { maxLength: 12 }), async (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
      const pieces = places.slice(1).map((to, at) => whole.slice(places[at], to));
      const ends: RecordedEnd[] = [];
      const stream = recordBody(source(pieces), { maxBytes: 1_000, onEnd: async (end) => void ends.push(end) });
      expect(await new Response(stream).text()).toBe(TURN + TURN + DONE);
      expect(ends).toEqual([{ end: 'complete', text: TURN + TURN + DONE }]);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['too large', [bytes(TURN.repeat(50)), bytes(DONE)]],
  ['not text', [Uint8Array.of(0xff, 0xfe, 10), bytes(DONE)]],
  ['not for every database', [bytes('\0\n'), bytes(DONE)]],
])('what is %s is handed on and not recorded', async (_, pieces) => {
  const ends: RecordedEnd[] = [];
  const stream = recordBody(source(pieces), { maxBytes: 1_000, onEnd: async (end) => void ends.push(end) });
  const seen = new Uint8Array(await new Response(stream).arrayBuffer());
  expect(seen).toEqual(new Uint8Array(Buffer.concat(pieces)));
  expect(ends).toEqual([{ end: 'complete', text: undefined }]);
});

test('a model that speaks of terminators does not end its stream', async () => {
  const ends: RecordedEnd[] = [];
  const said = ['data: [DONE]', '\ndata: [DONE]', '{"type":"message_stop"}', '"response.completed"'];
  const pieces = said.map((content) => bytes(`data: ${JSON.stringify({ content })}\n\n`));
  const stream = recordBody(source(pieces), { maxBytes: 1_000, onEnd: async (end) => void ends.push(end) });
  await new Response(stream).text();
  expect(ends).toEqual([{ end: 'broken' }]);
});

test('a stream without its terminator, one that fails and one whose reader leaves are told apart, once', async () => {
  const ends: string[] = [];
  const onEnd = async ({ end }: RecordedEnd): Promise<void> => void ends.push(end);
  const options = { maxBytes: 1_000, onEnd };
  await new Response(recordBody(source([bytes(TURN)]), options)).text();
  const failing = recordBody(source([bytes(TURN)], new Error('reset')), options);
  expect(await new Response(failing).text().catch((error: unknown) => String(error))).toContain('reset');
  const reader = recordBody(source([bytes(TURN), bytes(TURN)]), options).getReader();
  await reader.read();
  await reader.cancel();
  expect(ends).toEqual(['broken', 'broken', 'left']);
});
