import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isJsonObject, numberAt, objectAt, type JsonObject } from '../../src/lib/json.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { eventually } from '../support/eventually.ts';
import { isPatient } from '../support/patience.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const [DOCUMENTS, KILLS, LONGEST_MS] = isPatient ? [1_000, 20, 900] : [400, 4, 400];
const CONFIG = { discover: false, handbook: false, logging: { level: 'silent' as const } };

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-shadow-kill-'));
afterAll(() => rmSync(dataFolder, { recursive: true, force: true }));

async function send(server: ServerProcess, method: string, path: string, body?: object): Promise<JsonObject> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(response.status).toBeLessThan(300);
  const json: unknown = JSON.parse(await response.text());
  return isJsonObject(json) ? json : {};
}

const start = () => startSekishoProcess({ config: CONFIG, dataFolder });
const chunkerOf = (round: number) => ({ kind: 'recursive', target_tokens: 20 + round, max_tokens: 100 });
const textOf = (i: number) => `# Post ${i}\n\n${`The traveller word${i} passed the gate. 関所の記録です。`.repeat(6)}`;

test(`kill -9 at ${KILLS} random points of shadow builds: each goes on, goes live, and holds every document once`, async () => {
  // Minimal standard generator (Park and Miller): the points are random and the same in every run.
  let seed = 20_261_121;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  let server = await start();
  const documents = Array.from({ length: DOCUMENTS }, (_, i) => ({ id: `doc-${i}`, content: textOf(i) }));
  await send(server, 'POST', '/v1/index', { collection_name: 'posts', documents });
  let interrupted = 0;

  for (let round = 0; round < KILLS; round++) {
    const settings = { index: { chunker: chunkerOf(round) } };
    const { version, shadow } = await send(server, 'PATCH', '/v1/collections/posts', { settings });
    // Bun sleeps, since the moment of death is what is tried here.
    await Bun.sleep(random() * LONGEST_MS);
    await server.kill();
    server = await start();
    const after = await send(server, 'GET', '/v1/collections/posts');
    if (after['version'] === version && isJsonObject(shadow)) interrupted++;
    const hits = await send(server, 'POST', '/v1/search', { collection: 'posts', query: `word${round * 7}` });
    expect(JSON.stringify(hits['hits'])).toContain(`doc-${round * 7}`);
    await eventually(
      'the new index is live',
      async () => {
        const { settings: now, shadow: left } = await send(server, 'GET', '/v1/collections/posts');
        const chunker = isJsonObject(now) ? objectAt(objectAt(now, 'index') ?? {}, 'chunker') : undefined;
        return left === null && chunker?.['target_tokens'] === chunkerOf(round).target_tokens;
      },
      60_000,
    );
  }
  // Enough points must lie inside the work, or nothing has been tested.
  expect(interrupted).toBeGreaterThan(KILLS / 5);

  const shown = await send(server, 'GET', '/v1/collections/posts');
  const statistics = objectAt(shown, 'statistics') ?? {};
  await server.stop();
  const index = createLanceIndex({ folder: join(dataFolder, 'index') });
  const ref = { tenantId: DEFAULT_TENANT, collection: 'posts', version: numberAt(shown, 'version') ?? 0 };
  expect(numberAt(statistics, 'documents')).toBe(DOCUMENTS);
  expect((await index.documentIds(ref)).size).toBe(DOCUMENTS);
  expect(await index.count(ref)).toBe(numberAt(statistics, 'chunks') ?? -1);
  await index.close();
}, 300_000);
