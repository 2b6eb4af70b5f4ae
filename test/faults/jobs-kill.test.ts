import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileConfig } from '../../src/config/schema.ts';
import { arrayAt, isJsonObject } from '../../src/lib/json.ts';
import { createTaskCaller, progressOf } from '../support/jobs-stage.ts';
import { redisAvailable, redisMissing, startRedis } from '../support/redis-server.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const ROUNDS = 8;
const DOCUMENTS = 700;
const SETTLE_MS = 60_000;
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** Jobs over a server that is killed again and again; what was accepted must all come to an end, each piece once. */
async function killAndCount(more: FileConfig): Promise<void> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-jobs-kill-'));
  folders.push(dataFolder);
  const config: FileConfig = {
    discover: false,
    handbook: false,
    logging: { level: 'silent' },
    jobs: { lease_s: 1, workers: { indexing: 2 } },
    ...more,
  };
  let server: ServerProcess | undefined;
  const { send, submit, status, until, json } = createTaskCaller(() => {
    if (server === undefined) throw new Error('No server runs.');
    return server;
  });
  // Minimal standard generator (Park and Miller): the points are random and the same in every run.
  let seed = 20_261_121;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const accepted: string[] = [];
  let cancelling: string | undefined;
  let interrupted = 0;

  for (let round = 0; round < ROUNDS; round++) {
    server = await startSekishoProcess({ config, dataFolder });
    const documents = Array.from({ length: DOCUMENTS }, (_, at) => ({
      id: `doc-${round}-${at}`,
      content: `# Post ${round}-${at}\n\nThe traveller word${round}x${at} passed the gate. 関所の記録${at}番です。`,
    }));
    // A batch whose answer never came was not accepted, as far as its sender knows.
    const sending = submit('/v1/batch_index', { collection_name: `posts-${round}`, documents }).then(
      (id) => accepted.push(id),
      () => undefined,
    );
    await sending;
    const latest = accepted.at(-1);
    await Bun.sleep(random() * 250);
    if (round === 3 && latest !== undefined) {
      cancelling = latest;
      await send('POST', `/v1/tasks/${latest}/cancel`);
    }
    if (latest !== undefined && !['done', 'cancelled'].includes(String((await status(latest))['state']))) interrupted++;
    await server.kill();
  }
  // Enough points must lie inside the work, or nothing has been tested.
  expect(interrupted).toBeGreaterThan(ROUNDS / 4);
  expect(accepted.length).toBe(ROUNDS);

  server = await startSekishoProcess({ config, dataFolder });
  for (const [round, id] of accepted.entries()) {
    const task = await until(id, ['done', 'failed', 'cancelled'], SETTLE_MS);
    const { total, done, failed, cancelled } = progressOf(task);
    expect({ id, total, sum: Number(done) + Number(failed) + Number(cancelled) }).toEqual({
      id,
      total: DOCUMENTS,
      sum: DOCUMENTS,
    });
    if (id !== cancelling)
      expect({ id, state: task['state'], done, failed }).toEqual({ id, state: 'done', done: DOCUMENTS, failed: 0 });

    const found = await json('GET', `/v1/collections/posts-${round}/documents?limit=1000`);
    const states = arrayAt(found, 'data').filter(isJsonObject);
    expect(states.filter(({ state, chunks }) => state === 'ready' && chunks === 1)).toHaveLength(states.length);
    // What was cancelled is not indexed, except for the page that the kill cut off before it was noted.
    if (id === cancelling) expect(states.length).toBeGreaterThanOrEqual(Number(done));
    else expect(states).toHaveLength(DOCUMENTS);
    const hits = await json('POST', '/v1/search', {
      collection: `posts-${round}`,
      query: `word${round}x7`,
      top_k: 100,
    });
    if (id === cancelling) continue;
    const same = arrayAt(hits, 'hits')
      .filter(isJsonObject)
      .filter((hit) => hit['document_id'] === `doc-${round}-7`);
    expect(same).toHaveLength(1);
  }
  await server.stop();
}

test(
  'faults 1: kill -9 in the middle of batches: accepted = indexed + failed + cancelled, each document once',
  () => killAndCount({}),
  { timeout: 180_000 },
);

describe.skipIf(!redisAvailable)(`jobs in Redis${redisMissing}`, () => {
  test(
    'faults 1: the same where BullMQ carries the jobs',
    async () => {
      const redis = await startRedis({ args: ['--appendonly', 'yes'] });
      await killAndCount({ redis: { url: redis.url } });
      await redis.stop();
    },
    { timeout: 180_000 },
  );
});
