import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { createTaskCaller, jobsConfig } from '../support/jobs-stage.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-jobs-stop-'));
let upstream: FakeProvider;
let server: ServerProcess;
const { submit, status, until } = createTaskCaller(() => server);
// Longer than the test: only what is given back can be taken again in time.
const config = () => jobsConfig(upstream, { jobs: { lease_s: 600, workers: { query: 1 } } });

beforeAll(async () => {
  upstream = await startFakeProvider();
});
afterAll(async () => {
  upstream.release();
  await upstream.stop();
  rmSync(dataFolder, { recursive: true, force: true });
});

test(
  'faults 15: SIGTERM gives the jobs back; the next process goes on with them at once, as the same try',
  async () => {
    server = await startSekishoProcess({ config: config(), dataFolder });
    const documents = Array.from({ length: 600 }, (_, at) => ({ id: `doc-${at}`, content: `The gate ${at} is open.` }));
    // The second page of the batch is held by its embedding model.
    upstream.script({}, { stall: { at: 'before-headers' } });
    const id = await submit('/v1/batch_index', { collection_name: 'gates', documents });
    await upstream.stalled();
    const stopping = server.stop();
    upstream.release();
    await stopping;

    server = await startSekishoProcess({ config: config(), dataFolder });
    expect(await until(id, ['done'], 20_000)).toMatchObject({
      attempts: 1,
      progress: { total: 600, done: 600, failed: 0, cancelled: 0 },
    });

    // A key that was revoked while its question waited: the job fails, and says so.
    await startHolding();
    const key = await server.createKey({ name: 'leaver' });
    const question = await submit('/v1/query_async', { collection: 'gates', query: 'Which gate?' }, key);
    const keys = await (await fetch(`${server.url}/v1/keys`, { headers: admin() })).text();
    const keyId = /"id":"(key_\w+)","name":"leaver"|"name":"leaver"[^}]*?"id":"(key_\w+)"/.exec(keys);
    const revoked = await fetch(`${server.url}/v1/keys/${keyId?.[1] ?? keyId?.[2] ?? ''}`, {
      method: 'DELETE',
      headers: admin(),
    });
    expect(revoked.status).toBe(200);
    upstream.release();
    const failed = await until(question, ['failed'], 20_000);
    expect(failed).toMatchObject({ attempts: 1, failure: { code: 'invalid_key' } });
    expect(await status(question)).toMatchObject({ result: null });
    await server.stop();
  },
  { timeout: 60_000 },
);

const admin = () => ({ authorization: `Bearer ${server.adminKey}` });

/** Occupies the one worker for questions until the upstream is let go. */
async function startHolding(): Promise<void> {
  upstream.onModel('text-embedding-3-small', { stall: { at: 'before-headers' } });
  const id = await submit('/v1/query_async', { collection: 'gates', query: 'Is the gate open?' });
  await upstream.stalled();
  await eventually('it is being answered', async () => (await status(id))['state'] === 'active');
}
