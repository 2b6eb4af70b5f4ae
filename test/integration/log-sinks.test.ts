import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../src/lib/secret.ts';
import { createLineBuffer } from '../../src/telemetry/line-buffer.ts';
import { createLog, type Log, type LogSink } from '../../src/telemetry/log.ts';
import { eventually } from '../support/eventually.ts';

const CREDENTIAL = 'sink-credential-4711';

const endings: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A log whose own troubles are kept, and whose pauses are short. */
function open(sinks: LogSink[], waitMs = 5): { log: Log; troubles: string[] } {
  const troubles: string[] = [];
  const log = createLog({
    level: 'info',
    sinks,
    waitMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, Math.min(5, ms));
        signal.addEventListener('abort', () => (clearTimeout(timer), reject(new Error('aborted'))), { once: true });
      }),
    stderr: (lines) => {
      troubles.push(...lines);
      return Promise.resolve({ again: [], lost: 0 });
    },
  });
  endings.push(() => log.close(100));
  return { log, troubles };
}

/** A server that answers as it is told and keeps what it was sent. */
function serve(answer: (body: string, count: number, request: Request) => Response | Promise<Response>, port = 0) {
  const bodies: string[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    fetch: async (request) => {
      const body = await request.text();
      bodies.push(body);
      return answer(body, bodies.length, request);
    },
  });
  endings.push(() => server.stop(true));
  return { url: `http://127.0.0.1:${server.port}`, port: server.port ?? 0, bodies, stop: () => server.stop(true) };
}

const http = (url: string): LogSink => ({ type: 'http', url, headers: { authorization: new Secret(CREDENTIAL) } });
const names = (bodies: readonly string[]) =>
  bodies
    .join('')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { msg?: string }).msg)
    .filter((msg) => msg !== undefined);
const numbered = (log: Log, count: number, from = 0) => {
  for (let i = from; i < from + count; i++) log.info(`event-${i}`, { i });
};
const events = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `event-${i + from}`);

describe('the HTTP sink', () => {
  test('takes JSON lines in order and in batches, with its headers', async () => {
    const seen: (string | null)[] = [];
    const server = serve((_, __, request) => {
      seen.push(request.headers.get('authorization'), request.headers.get('content-type'));
      return new Response('ok');
    });
    const { log } = open([http(server.url)]);
    numbered(log, 300);
    await eventually('all lines arrived', () => names(server.bodies).length === 300);
    expect(names(server.bodies)).toEqual(events(300));
    expect(server.bodies.length).toBeLessThan(20);
    expect(seen.slice(0, 2)).toEqual([CREDENTIAL, 'application/x-ndjson']);
  });

  test('that is down for a while, or refuses for now, loses nothing and doubles nothing', async () => {
    const first = serve(() => new Response('ok'));
    await first.stop();
    const { log, troubles } = open([http(first.url)]);
    numbered(log, 50);
    await eventually('trouble was told of', () => troubles.length > 0);
    const back = serve(
      (_, count) => new Response('', { status: count <= 2 ? 503 : count === 3 ? 429 : 200 }),
      first.port,
    );
    await eventually('all lines arrived', () => names(back.bodies.slice(3)).length === 50);
    expect(names(back.bodies.slice(3))).toEqual(events(50));
    expect(log.dropped().get('http')).toBe(0);
    // Told of once, not at every try, and without the credential.
    expect(troubles).toHaveLength(1);
    expect(troubles.join('')).not.toContain(CREDENTIAL);
  });

  test('that refuses for good, or redirects, loses the batch, says how much, and goes on', async () => {
    const elsewhere = serve(() => new Response('ok'));
    const server = serve((_, count) =>
      count === 1
        ? new Response('', { status: 400 })
        : count === 2
          ? new Response('', { status: 307, headers: { location: elsewhere.url } })
          : new Response('ok'),
    );
    const { log } = open([http(server.url)]);
    numbered(log, 3);
    await eventually('the first batch is lost', () => log.dropped().get('http') === 3);
    numbered(log, 2, 3);
    await eventually('the second batch is lost', () => log.dropped().get('http') === 5);
    numbered(log, 1, 5);
    await eventually('the third arrived', () => server.bodies.length === 3);
    expect(names(server.bodies.slice(2))).toEqual(['event-5']);
    expect(elsewhere.bodies).toEqual([]);
  });

  test('that never answers holds up no caller, fills a bounded buffer, and does not hold up the end', async () => {
    const server = serve(() => new Promise<Response>(() => undefined));
    const { log } = open([http(server.url)]);
    numbered(log, 1);
    await eventually('the first batch is on its way', () => server.bodies.length === 1);
    numbered(log, 40_000);
    expect(log.dropped().get('http')).toBe(20_000);
    const closing = performance.now();
    await log.close(50);
    expect(performance.now() - closing).toBeLessThan(1_000);
    expect(log.dropped().get('http')).toBe(40_001);
  });

  test('does not hold up another sink', async () => {
    const stuck = serve(() => new Promise<Response>(() => undefined));
    const server = serve(() => new Response('ok'));
    const { log } = open([http(stuck.url), http(server.url)]);
    numbered(log, 10);
    await eventually('the other sink has all', () => names(server.bodies).length === 10);
  });

  test('gets what still waits at the end', async () => {
    const server = serve(() => new Response('ok'));
    const { log } = open([http(server.url)], 60_000);
    numbered(log, 2_500);
    await log.close(5_000);
    expect(names(server.bodies)).toEqual(events(2_500));
    expect(log.dropped().get('http')).toBe(0);
  });
});

describe('the Elasticsearch sink', () => {
  const elastic = (url: string): LogSink => ({
    type: 'elasticsearch',
    url: `${url}/`,
    index: 'logs-sekisho',
    headers: { authorization: new Secret(`ApiKey ${CREDENTIAL}`) },
  });

  test('creates one document per line, with its time as @timestamp', async () => {
    const paths: string[] = [];
    const server = serve((body, _, request) => {
      paths.push(new URL(request.url).pathname);
      const items = body
        .trimEnd()
        .split('\n')
        .filter((_, index) => index % 2 === 0);
      return Response.json({ errors: false, items: items.map(() => ({ create: { status: 201 } })) });
    });
    const { log } = open([elastic(server.url)]);
    numbered(log, 3);
    await eventually('the documents arrived', () => server.bodies.length > 0);
    const [action, document] = (server.bodies[0] ?? '').split('\n');
    expect(JSON.parse(action ?? '')).toEqual({ create: { _index: 'logs-sekisho' } });
    const made = JSON.parse(document ?? '') as Record<string, unknown>;
    expect(made).toMatchObject({ level: 'info', msg: 'event-0', i: 0 });
    expect(made['@timestamp']).toBe(made['time']);
    expect(paths).toEqual(['/_bulk']);
  });

  test('each document is judged by itself: again for now, lost for good, there already', async () => {
    const statuses: Record<string, number[]> = {
      'event-0': [201],
      'event-1': [429, 503, 201],
      'event-2': [400],
      'event-3': [409],
      'event-4': [429, 201],
    };
    const server = serve((body) => {
      const lines = body
        .trimEnd()
        .split('\n')
        .filter((_, index) => index % 2 === 1);
      const items = lines.map((line) => {
        const status = statuses[(JSON.parse(line) as { msg: string }).msg]?.shift() ?? 500;
        return { create: { status } };
      });
      return Response.json({ errors: items.some(({ create }) => create.status >= 400), items });
    });
    const { log } = open([elastic(server.url)]);
    numbered(log, 5);
    await eventually('every document was judged', () => Object.values(statuses).every((left) => left.length === 0));
    await eventually('the refused one is counted', () => log.dropped().get('elasticsearch') === 1);
    expect(server.bodies.map((body) => names([body]))).toEqual([events(5), ['event-1', 'event-4'], ['event-1']]);
  });
});

describe('the file sink', () => {
  test('appends, follows a rotation, and makes its folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sekisho-log-'));
    endings.push(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, 'deep', 'sekisho.log');
    const { log } = open([{ type: 'file', path }]);
    numbered(log, 2);
    await eventually('two lines', () => names([readFileSync(path, 'utf8')]).length === 2);
    renameSync(path, `${path}.1`);
    numbered(log, 1, 2);
    await eventually('a line in the new file', () => names([readFileSync(path, 'utf8')]).length === 1);
    rmSync(path);
    numbered(log, 1, 3);
    await eventually('a line in the next file', () => names([readFileSync(path, 'utf8')]).includes('event-3'));
    // A rotation that puts an empty file in the place of the old one.
    renameSync(path, `${path}.2`);
    writeFileSync(path, '');
    numbered(log, 1, 4);
    await eventually('a line in the file that was put there', () =>
      names([readFileSync(path, 'utf8')]).includes('event-4'),
    );
    expect(names([readFileSync(`${path}.1`, 'utf8')])).toEqual(['event-0', 'event-1']);
  });

  test('that cannot be written holds up nothing, and gets all when it can', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sekisho-log-'));
    endings.push(() => rmSync(folder, { recursive: true, force: true }));
    // A file stands where the folder should be, as good as a full disk.
    writeFileSync(join(folder, 'deep'), '');
    const path = join(folder, 'deep', 'sekisho.log');
    const { log, troubles } = open([{ type: 'file', path }]);
    numbered(log, 20);
    await eventually('trouble was told of', () => troubles.length > 0);
    rmSync(join(folder, 'deep'));
    await eventually('all lines', () => names([readFileSync(path, 'utf8')]).length === 20);
    expect(log.dropped().get('file')).toBe(0);
  });

  test.skipIf(!existsSync('/dev/full'))(
    'on a device that is full, nothing of a batch is kept twice and calls go on',
    async () => {
      const { log, troubles } = open([{ type: 'file', path: '/dev/full' }]);
      numbered(log, 10);
      await eventually('trouble was told of', () => troubles.some((line) => line.includes('ENOSPC')));
      numbered(log, 10, 10);
      await log.close(50);
      expect(log.dropped().get('file')).toBe(20);
    },
  );
});

describe('the buffer', () => {
  test('drops the oldest by bytes as well as by lines', async () => {
    const got: string[] = [];
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const buffer = createLineBuffer({
      deliver: async (lines) => {
        await gate;
        got.push(...lines);
        return { again: [], lost: 0 };
      },
      maxLines: 5,
      maxBytes: 40,
      batchLines: 2,
      batchBytes: 1_000,
      hurryBytes: 1_000,
      waitMs: 60_000,
      sleep: () => Promise.resolve(),
      random: () => 0,
      onTrouble: () => undefined,
    });
    for (let i = 0; i < 8; i++) buffer.push(`line ${i}\n`);
    expect(buffer.dropped()).toBe(3);
    buffer.push(`${'関'.repeat(10)}\n`);
    expect(buffer.dropped()).toBe(7);
    open();
    await buffer.close(1_000);
    expect(got).toEqual(['line 7\n', `${'関'.repeat(10)}\n`]);
  });
});
