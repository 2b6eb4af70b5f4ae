import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { createTaskCaller, jobsConfig, progressOf } from '../support/jobs-stage.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const EMBEDDER = 'text-embedding-3-small';
const SLOW_MS = 20_000;

let upstream: FakeProvider;
let server: TestServer;
const caller = createTaskCaller(() => server);
const { send, json, submit, status, until, events } = caller;

beforeAll(async () => {
  upstream = await startFakeProvider();
  server = await startSekisho({ config: jobsConfig(upstream) });
});
afterAll(async () => {
  upstream.release();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

const gate = (from: number, count: number, word = 'gate'): { id: string; content: string }[] =>
  Array.from({ length: count }, (_, at) => ({
    id: `doc-${from + at}`,
    content: `The ${word} ${from + at} opens at ${at + 1} o'clock. 関所${from + at}番。`,
  }));

describe('batch_index', () => {
  test('documents are accepted at once and indexed behind; events tell how far it is, and how it ended', async () => {
    const response = await send('POST', '/v1/batch_index', { collection_name: 'gates', documents: gate(0, 300) });
    expect(response.status).toBe(202);
    const accepted = parseJson(await response.text());
    const id = isJsonObject(accepted) ? (stringAt(accepted, 'task_id') ?? '') : '';
    expect(accepted).toEqual({ task_id: id, status_url: `/v1/task_status/${id}` });
    expect(response.headers.get('location')).toBe(`/v1/task_status/${id}`);

    const told: { event: string; data: JsonObject }[] = [];
    for await (const { event = '', data } of events(id, '?interval_ms=100')) {
      const parsed = parseJson(data);
      told.push({ event, data: isJsonObject(parsed) ? parsed : {} });
    }
    const end = told.pop();
    expect(end).toMatchObject({
      event: 'end',
      data: {
        task_id: id,
        kind: 'batch_index',
        queue: 'indexing',
        state: 'done',
        attempts: 1,
        progress: { total: 300, done: 300, failed: 0, cancelled: 0, eta_seconds: null },
        result: { collection_name: 'gates', indexed: 300, unchanged: 0, failed: 0, chunks: 300 },
        failure: null,
      },
    });
    for (const { event, data } of told) expect([event, progressOf(data)['total']]).toEqual(['progress', 300]);
    expect(Number(progressOf(end?.data ?? {})['rate'])).toBeGreaterThan(0);

    // Whoever comes after the end is told the same, once.
    const late = await Array.fromAsync(events(id));
    expect(late.map(({ event }) => event)).toEqual(['end']);
    const found = await json('POST', '/v1/search', { collection: 'gates', query: 'gate 123 opens', top_k: 3 });
    expect(arrayAt(found, 'hits').length).toBeGreaterThan(0);

    const again = await submit('/v1/batch_index', { collection_name: 'gates', documents: gate(0, 300) });
    expect(objectAt(await until(again, ['done']), 'result')).toMatchObject({ indexed: 0, unchanged: 300 });
  });

  test('files are parsed when their turn comes; one that cannot be read fails alone, with its reason', async () => {
    const form = new FormData();
    form.set('collection_name', 'files');
    form.set('priority', '7');
    form.append('file', new Blob(['# Bridge\n\nThe bridge carries two tons.']), 'town/bridge.md');
    form.append('file', new Blob([new Uint8Array([0x50, 0x4b, 3, 4, 0, 0, 9, 9])]), '../broken.docx');
    const task = await until(await submit('/v1/batch_index', form), ['done']);
    expect(task).toMatchObject({ priority: 7, progress: { total: 2, done: 1, failed: 1 } });
    const [failure] = arrayAt(progressOf(task), 'failures').filter(isJsonObject);
    expect(failure?.['id']).toBe('broken.docx');
    expect(String(failure?.['reason']).length).toBeGreaterThan(10);
    const shown = await json('GET', '/v1/collections/files/documents/town/bridge.md');
    expect(stringAt(shown, 'content')).toContain('two tons');
  });

  test('one document that is not valid refuses the batch before anything of it is accepted', async () => {
    const before = arrayAt(await json('GET', '/v1/tasks?limit=100'), 'data').length;
    for (const documents of [
      [...gate(0, 2), { id: 'blank', content: '   ' }],
      [...gate(0, 2), ...gate(1, 1)],
      [{ content: 'same' }, { content: 'same' }],
      [],
    ]) {
      const response = await send('POST', '/v1/batch_index', { collection_name: 'never', documents });
      expect(response.status).toBe(400);
    }
    const refused = [
      { collection_name: '../up', documents: gate(0, 1) },
      { documents: gate(0, 1), priority: 10 },
      { documents: gate(0, 1), unknown: true },
    ];
    for (const body of refused) expect((await send('POST', '/v1/batch_index', body)).status).toBe(400);
    expect(arrayAt(await json('GET', '/v1/tasks?limit=100'), 'data')).toHaveLength(before);
    expect((await send('GET', '/v1/collections/never/documents')).status).toBe(404);
  });

  test('the same Idempotency-Key hands the same work over once', async () => {
    const call = async (file: string): Promise<Response> => {
      const form = new FormData();
      form.append('file', new Blob([file]), 'one.md');
      form.set('collection_name', 'once');
      const body = await new Response(form).arrayBuffer();
      const type = 'multipart/form-data; boundary=xyz';
      // The same bytes each time: a form's boundary is random.
      const text = `--xyz\r\ncontent-disposition: form-data; name="collection_name"\r\n\r\nonce\r\n--xyz\r\ncontent-disposition: form-data; name="file"; filename="one.md"\r\n\r\n${file}\r\n--xyz--\r\n`;
      expect(body.byteLength).toBeGreaterThan(0);
      return fetch(`${server.url}/v1/batch_index`, {
        method: 'POST',
        headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': type, 'idempotency-key': 'batch-1' },
        body: text,
      });
    };
    const [first, second] = [await call('# One\n\nfirst'), await call('# One\n\nfirst')];
    expect(second.headers.get('x-sekisho-idempotent-replay')).toBe('true');
    const told = parseJson(await first.text());
    expect(parseJson(await second.text())).toEqual(told);
    expect((await call('# One\n\nother')).status).toBe(422);
    const id = isJsonObject(told) ? String(told['task_id']) : '';
    expect(await until(id, ['done'])).toMatchObject({ progress: { total: 1, done: 1 } });
  });

  test('cancelled mid-way: what was indexed stays, the rest is cancelled, nothing is lost from the sum', async () => {
    // The second page of the batch is held by its embedding model.
    upstream.script({}, { stall: { at: 'before-headers' } });
    const id = await submit('/v1/batch_index', { collection_name: 'half', documents: gate(0, 600) });
    await upstream.stalled();
    expect((await send('POST', `/v1/tasks/${id}/cancel`)).status).toBe(200);
    upstream.release();
    const task = await until(id, ['cancelled']);
    const { total, done, failed, cancelled } = progressOf(task);
    expect(total).toBe(600);
    expect(Number(done)).toBeGreaterThan(0);
    expect(Number(cancelled)).toBeGreaterThan(0);
    expect(Number(done) + Number(failed) + Number(cancelled)).toBe(600);
    const documents = arrayAt(await json('GET', '/v1/collections/half/documents?limit=1000'), 'data');
    expect(documents).toHaveLength(Number(done));
    expect((await send('POST', `/v1/tasks/${id}/cancel`)).status).toBe(409);
    expect((await send('POST', `/v1/tasks/${id}/retry`)).status).toBe(409);
  });

  test(
    'an upstream that fails is asked again later; the third time it is a dead letter, and a retry finishes it',
    async () => {
      upstream.onModel(EMBEDDER, { fail: { status: 503 } });
      const startedMs = performance.now();
      const id = await submit('/v1/batch_index', { collection_name: 'late', documents: gate(0, 5) });
      const waiting = await eventually('it waits for its second try', async () => {
        const task = await status(id);
        return task['state'] === 'waiting' && task['attempts'] === 1 && task;
      });
      expect(waiting).toMatchObject({
        failure: { code: 'not_indexed_yet' },
        progress: { total: 5, done: 0, failed: 0 },
      });
      expect(String(waiting['retry_at'])).toMatch(/^\d{4}-/);
      const dead = await until(id, ['failed'], SLOW_MS);
      expect(dead).toMatchObject({ attempts: 3, progress: { total: 5, done: 0, failed: 5 }, result: null });
      // Half of one second and half of two are the least that two delays take.
      expect(performance.now() - startedMs).toBeGreaterThan(1_500);
      const listed = await json('GET', '/v1/tasks?state=failed&queue=indexing');
      expect(
        arrayAt(listed, 'data')
          .filter(isJsonObject)
          .map((task) => task['task_id']),
      ).toContain(id);

      upstream.reset();
      expect((await send('POST', `/v1/tasks/${id}/retry`)).status).toBe(200);
      expect(await until(id, ['done'])).toMatchObject({
        attempts: 1,
        failure: null,
        progress: { total: 5, done: 5, failed: 0, failures: [] },
      });
    },
    { timeout: SLOW_MS },
  );
});

describe('query_async', () => {
  test('the answer with its citations is the result of the task', async () => {
    await json('POST', '/v1/index', {
      collection_name: 'town',
      documents: [{ id: 'harbour', content: 'The harbour closes at nine. Boats wait outside until morning.' }],
    });
    const body = { collection: 'town', query: 'When does the harbour close?', top_k: 2, explain: true };
    const task = await until(await submit('/v1/query_async', body), ['done']);
    expect(task).toMatchObject({ kind: 'query', queue: 'query', progress: { total: 1, done: 1 } });
    const { processing_time: _, cache: _cache, explain, ...result } = objectAt(task, 'result') ?? {};
    const { processing_time: __, cache: __cache, explain: ___, ...whole } = await json('POST', '/v1/query', body);
    expect(result).toEqual(whole);
    expect(isJsonObject(explain)).toBe(true);
    expect(String(result['answer'])).toContain('nine');
  });

  test('what can never be answered fails at once, with the reason', async () => {
    const id = await submit('/v1/query_async', { collection: 'nowhere', query: 'Where?' });
    expect(await until(id, ['failed'])).toMatchObject({ attempts: 1, failure: { code: 'collection_not_found' } });
  });
});

describe('who may see a task', () => {
  test('attacks 7: a key sees its own tasks; those of others are not there, on every route', async () => {
    const [mine, theirs] = [await server.createKey({ name: 'mine' }), await server.createKey({ name: 'theirs' })];
    const body = { collection: 'nowhere', query: 'Where?' };
    const id = await submit('/v1/query_async', body, mine);
    await until(id, ['failed']);
    const routes: [string, string][] = [
      ['GET', `/v1/task_status/${id}`],
      ['GET', `/v1/tasks/${id}/events`],
      ['POST', `/v1/tasks/${id}/cancel`],
      ['POST', `/v1/tasks/${id}/retry`],
    ];
    for (const [method, path] of routes) {
      const response = await send(method, path, undefined, theirs);
      expect([path, response.status]).toEqual([path, 404]);
      await response.body?.cancel();
    }
    expect(await status(id)).toMatchObject({ state: 'failed', attempts: 1 });
    const idsOf = async (key?: string) =>
      arrayAt(await json('GET', '/v1/tasks?limit=100', undefined, key), 'data')
        .filter(isJsonObject)
        .map((task) => task['task_id']);
    expect(await idsOf(mine)).toEqual([id]);
    expect(await idsOf(theirs)).toEqual([]);
    expect(await idsOf()).toContain(id);
    expect((await status(id, mine))['task_id']).toBe(id);
    for (const path of ['job_', `${id}x`, 'job_%27%20OR%201=1', '..%2fadmin', `${id}%00`]) {
      expect((await send('GET', `/v1/task_status/${path}`)).status).toBe(404);
    }
    expect((await send('GET', `/v1/tasks?after=${encodeURIComponent("' OR 1=1")}`)).status).toBe(400);
    expect((await send('GET', '/v1/tasks?state=dead')).status).toBe(400);
  });

  test('whoever a key acts for sees what was asked for with the same rights, and no list', async () => {
    const as = (group: string): string => JSON.stringify({ groups: [group], attributes: {} });
    const call = (method: string, path: string, group: string, body?: object): Promise<Response> =>
      fetch(`${server.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${server.adminKey}`, 'x-sekisho-as': as(group) },
        ...(body && { body: JSON.stringify(body) }),
      });
    const told = parseJson(
      await (await call('POST', '/v1/query_async', 'a', { collection: 'town', query: 'When?' })).text(),
    );
    const path = `/v1/task_status/${isJsonObject(told) ? String(told['task_id']) : ''}`;
    expect((await call('GET', path, 'a')).status).toBe(200);
    expect((await call('GET', path, 'b')).status).toBe(404);
    expect((await call('GET', '/v1/tasks', 'a')).status).toBe(403);
  });

  test('members hand over questions of no high priority, and no documents', async () => {
    const key = await server.createKey({ name: 'member', allowedRoutes: ['rag/town'] });
    const ask = (body: object) => send('POST', '/v1/query_async', { query: 'When?', ...body }, key);
    expect((await ask({ collection: 'town', priority: 5 })).status).toBe(202);
    expect((await ask({ collection: 'town', priority: 6 })).status).toBe(403);
    expect((await ask({ collection: 'late' })).status).toBe(403);
    expect((await send('POST', '/v1/batch_index', { documents: gate(0, 1) }, key)).status).toBe(403);
  });

  test('pages of tasks follow each other without a gap', async () => {
    const seen: unknown[] = [];
    for (let after = ''; ;) {
      const page = await json('GET', `/v1/tasks?limit=3${after === '' ? '' : `&after=${after}`}`);
      const data = arrayAt(page, 'data').filter(isJsonObject);
      seen.push(...data.map((task) => task['task_id']));
      after = String(data.at(-1)?.['task_id'] ?? '');
      if (page['has_more'] !== true) break;
    }
    const all = arrayAt(await json('GET', '/v1/tasks?limit=100'), 'data').filter(isJsonObject);
    expect(seen).toEqual(all.map((task) => task['task_id']));
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('the stream of events', () => {
  test('a reader who leaves costs nothing more; one who comes again is told where it stands', async () => {
    upstream.script({ stall: { at: 'before-headers' } });
    const id = await submit('/v1/batch_index', { collection_name: 'watched', documents: gate(0, 3) });
    await upstream.stalled();
    for (let round = 0; round < 2; round++) {
      const leaving = new AbortController();
      for await (const { event } of events(id, '?interval_ms=100', leaving.signal)) {
        expect(event).toBe('progress');
        break;
      }
      leaving.abort();
    }
    upstream.release();
    await until(id, ['done']);
  });

  test('metrics count what ended, and what stands where', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(text).toMatch(/sekisho_jobs_ended_total\{queue="indexing",kind="batch_index",state="done"\} \d+/);
    expect(text).toMatch(
      /sekisho_job_retries_total\{queue="indexing",kind="batch_index",error_type="not_indexed_yet"\} 2/,
    );
    expect(text).toContain('sekisho_job_duration_seconds_bucket');
  });
});
