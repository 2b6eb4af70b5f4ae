import { Database } from 'bun:sqlite';
import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { eventually } from '../support/eventually.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const DOCUMENTS = 5_000;
const KILLS = 20;
const BATCH = DOCUMENTS / KILLS;
const CONFIG = { discover: false, handbook: false, logging: { level: 'silent' as const } };

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-kill-'));
afterAll(() => rmSync(dataFolder, { recursive: true, force: true }));

/** Every 50th document is changed in a later round, so that replacements are killed too. */
function documentOf(number: number, round: number) {
  const version = number % 50 === 0 ? round : 0;
  const content = `# Post ${number}\n\nThe traveller word${number} passed the gate in round ${version}.\n\n関所の記録${number}番です。`;
  return { id: `doc-${number}`, content };
}

async function send(server: ServerProcess, documents: object[]): Promise<{ failed: object[] }> {
  const response = await fetch(`${server.url}/v1/index`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: JSON.stringify({ collection_name: 'posts', documents }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as { failed: object[] };
}

test(
  'faults 1: kill -9 of the indexer at 20 random points of a 5,000-document ingest loses nothing and doubles nothing',
  async () => {
    // Minimal standard generator (Park and Miller): the points are random and the same in every run.
    let seed = 20_260_321;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    let interrupted = 0;

    for (let round = 0; round < KILLS; round++) {
      const server = await startSekishoProcess({ config: CONFIG, dataFolder });
      const fresh = Array.from({ length: BATCH }, (_, i) => documentOf(round * BATCH + i, round));
      const changed = Array.from({ length: (round * BATCH) / 50 }, (_, i) => documentOf(i * 50, round));
      let answered = false;
      const sending = send(server, [...fresh, ...changed]).then(
        () => (answered = true),
        () => undefined,
      );
      await Bun.sleep(random() * 80);
      if (!answered) interrupted++;
      await server.kill();
      await sending;
    }
    // Enough points must lie inside the work, or nothing has been tested.
    expect(interrupted).toBeGreaterThan(KILLS / 4);

    // The caller of a batch that was never acknowledged sends it again; what was accepted is finished by itself.
    const server = await startSekishoProcess({ config: CONFIG, dataFolder });
    for (let round = 0; round < KILLS; round++) {
      const batch = Array.from({ length: BATCH }, (_, i) => documentOf(round * BATCH + i, KILLS));
      expect((await send(server, batch)).failed).toEqual([]);
    }
    const database = new Database(join(dataFolder, 'sekisho.db'), { readonly: true });
    await eventually('nothing is pending', () => {
      const left = database
        .query<{ n: number }, []>(
          "SELECT COUNT(*) AS n FROM documents WHERE pending_hash IS NOT NULL OR state <> 'ready'",
        )
        .get();
      return left?.n === 0;
    });
    await server.stop();

    const index = createLanceIndex({ folder: join(dataFolder, 'index') });
    const ref = { tenantId: DEFAULT_TENANT, collection: 'posts', version: 1 };
    const rows = database
      .query<{ id: string; chunks: number; text: string }, []>('SELECT id, chunks, text FROM documents')
      .all();
    const ids = await index.documentIds(ref);
    const lost = Array.from({ length: DOCUMENTS }, (_, i) => `doc-${i}`).filter((id) => !ids.has(id));
    const orphans = [...ids].filter((id) => !rows.some((row) => row.id === id));
    expect({ documents: rows.length, lost, orphans }).toEqual({ documents: DOCUMENTS, lost: [], orphans: [] });
    expect(await index.count(ref)).toBe(rows.reduce((sum, row) => sum + row.chunks, 0));

    // Each sampled document is found by its own word, once, at a span that says what the stored text says.
    for (const number of [0, 50, 251, 2_500, 4_999]) {
      const hits = await index.searchLexical(ref, [`word${number}`], { limit: 10 });
      expect(hits.map((hit) => hit.documentId)).toEqual([`doc-${number}`]);
      const text = rows.find((row) => row.id === `doc-${number}`)?.text ?? '';
      expect(text.slice(hits[0]?.start, hits[0]?.end)).toContain(`word${number}`);
      expect(text).toContain(`in round ${number % 50 === 0 ? KILLS : 0}.`);
    }
    await index.close();
    database.close();
  },
  { timeout: 180_000 },
);
