import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { startAdminStage } from '../support/admin-stage.ts';
import { eventually } from '../support/eventually.ts';
import { startSekisho } from '../support/start-server.ts';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
});

/** A connection that does only what it is told, and is read only when told. */
async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const head = (path: string, more: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stage.server.adminKey}\r\nContent-Type: application/json\r\n${more}\r\n`;
const BODY = JSON.stringify({ model: 'fast', messages: [{ role: 'user', content: 'hi' }] });

/** Whether others are served, and how long the slowest of ten waits. */
async function othersWaitMs(): Promise<number> {
  let longest = 0;
  for (let at = 0; at < 10; at++) {
    const began = performance.now();
    const response = await stage.post('/v1/chat/completions', JSON.parse(BODY) as object);
    expect(response.status).toBe(200);
    await response.text();
    longest = Math.max(longest, performance.now() - began);
  }
  return longest;
}

const UNHARMED_MS = 500;
const residentMb = (): number => process.memoryUsage.rss() / 1_048_576;

describe('fault 8: those who are slow hold up nobody else', () => {
  test('2,000 connections that say nothing, and 500 that stop within their headers', async () => {
    const before = residentMb();
    // As many as the machine allows: the ends of both sides are of this one process.
    const quiet = await Promise.all(Array.from({ length: 2_000 }, () => open(stage.server.url)));
    const slow = await Promise.all(Array.from({ length: 500 }, () => open(stage.server.url)));
    for (const socket of slow) socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    expect(await othersWaitMs()).toBeLessThan(UNHARMED_MS);
    // Both ends of each: some kilobytes a connection, not more.
    expect(residentMb() - before).toBeLessThan(150);
    expect(stage.upstream.requests).toHaveLength(10);
    for (const socket of [...quiet, ...slow]) socket.destroy();
    expect(await othersWaitMs()).toBeLessThan(UNHARMED_MS);
  });

  test('200 bodies that come a byte at a time: no upstream hears of them before they are whole', async () => {
    const slow = await Promise.all(Array.from({ length: 200 }, () => open(stage.server.url)));
    for (const socket of slow) socket.write(head('/v1/chat/completions', `Content-Length: ${BODY.length}\r\n`));
    for (let at = 0; at < 5; at++) {
      for (const socket of slow) socket.write(BODY[at] ?? '');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await othersWaitMs()).toBeLessThan(UNHARMED_MS);
    expect(stage.upstream.requests).toHaveLength(10);

    // Slow is not wrong: the rest comes, and the answer with it.
    const [patient, ...rest] = slow;
    let answer = '';
    patient?.on('data', (piece: Buffer) => (answer += piece.toString('utf8')));
    patient?.write(BODY.slice(5));
    await eventually('the slow one is answered', () => answer.includes('200 OK'));
    for (const socket of rest) socket.destroy();
  });

  test('a body that does not come within its time is a 408, and its connection ends', async () => {
    const server = await startSekisho({ config: { server: { body_timeout_s: 1 }, providers: {} } });
    try {
      for (const [path, framing] of [
        ['/v1/chat/completions', `Content-Length: ${BODY.length}`],
        ['/v1/chat/completions', 'Transfer-Encoding: chunked'],
        ['/v1/keys', 'Content-Length: 40\r\nIdempotency-Key: slow-1'],
      ] as const) {
        const socket = await open(server.url);
        let answer = '';
        let ended = false;
        socket.on('data', (piece: Buffer) => (answer += piece.toString('utf8')));
        socket.on('close', () => (ended = true));
        const from = performance.now();
        const first = framing.startsWith('T') ? '1\r\n{\r\n' : '{';
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.adminKey}\r\n` +
            `Content-Type: application/json\r\n${framing}\r\n\r\n${first}`,
        );
        await eventually('it is answered', () => answer.includes('body_too_slow'));
        expect(answer).toStartWith('HTTP/1.1 408');
        expect(performance.now() - from).toBeGreaterThan(900);
        await eventually('the connection ends', () => ended);
      }
    } finally {
      await server.stop();
    }
  });

  test('who leaves within the body leaves nothing behind', async () => {
    for (const more of [`Content-Length: ${BODY.length}\r\n`, 'Transfer-Encoding: chunked\r\n']) {
      const left = await Promise.all(Array.from({ length: 100 }, () => open(stage.server.url)));
      for (const socket of left)
        socket.write(`${head('/v1/chat/completions', more)}${more.startsWith('T') ? '5\r\n' : ''}{"mod`);
      await new Promise((resolve) => setImmediate(resolve));
      for (const socket of left) socket.resetAndDestroy();
    }
    expect(await othersWaitMs()).toBeLessThan(UNHARMED_MS);
    expect(stage.upstream.requests).toHaveLength(10);
  });
});

describe('fault 8: a reader that does not read', () => {
  const EVENT = new TextEncoder().encode(
    `data: ${JSON.stringify({
      id: 'x',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta: { content: 'x'.repeat(16_000) }, finish_reason: null }],
    })}\n\n`,
  );
  /** 24 MB a stream: kept for those who do not read, that would be seen. */
  const EVENTS = 1_500;
  const READERS = 4;
  const sent: number[] = [];
  let left = 0;
  const talkative = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: () => {
      const index = sent.push(0) - 1;
      const body = new ReadableStream({
        pull: (controller) => {
          const events = sent[index] ?? 0;
          if (events === EVENTS) {
            controller.enqueue(new TextEncoder().encode('data: [DONE]\n\n'));
            return controller.close();
          }
          sent[index] = events + 1;
          controller.enqueue(EVENT);
        },
        cancel: () => {
          left++;
        },
      });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    },
  });
  afterAll(() => talkative.stop(true));

  test('holds up its own stream only, and the upstream with it: nothing piles up', async () => {
    const admin = await startAdminStage();
    const base_url = `http://127.0.0.1:${talkative.port}/v1`;
    await admin.ask('PUT', '/v1/providers/talkative', { wire: 'openai', base_url, models: ['m'] });
    const body = JSON.stringify({ model: 'talkative/m', stream: true, messages: [{ role: 'user', content: 'hi' }] });
    const before = residentMb();
    const readers = await Promise.all(Array.from({ length: READERS }, () => open(admin.server.url)));
    for (const socket of readers) {
      socket.pause();
      socket.write(`${head('/v1/chat/completions', `Content-Length: ${body.length}\r\n`)}${body}`);
    }
    await eventually('all streams have begun', () => sent.length === READERS && sent.every((events) => events > 1));
    for (let at = 0; at < 20; at++) {
      const began = performance.now();
      expect((await admin.chat('fast')).status).toBe(200);
      expect(performance.now() - began).toBeLessThan(UNHARMED_MS);
    }
    // What the sockets on the way take, and no more.
    for (const events of sent) expect(events * EVENT.length).toBeLessThan(12 * 1_048_576);
    expect(residentMb() - before).toBeLessThan(80);

    // Whoever begins to read gets all of it; whoever leaves lets the upstream go.
    const [patient, ...leaving] = readers;
    let bytes = 0;
    patient?.on('data', (piece: Buffer) => (bytes += piece.length));
    patient?.resume();
    for (const socket of leaving) socket.destroy();
    await eventually('the patient one has all of it', () => bytes > EVENTS * EVENT.length, 10_000);
    await eventually('the others are let go', () => left === leaving.length, 10_000);
    await admin.stop();
  }, 30_000);
});
