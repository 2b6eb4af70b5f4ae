import { Database } from 'bun:sqlite';
import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrayAt, isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { eventually } from '../support/eventually.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const FILES = 300;
const KILLS = 8;

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-source-kill-'));
const folder = mkdtempSync(join(tmpdir(), 'sekisho-source-files-'));
const config = {
  discover: false,
  handbook: false,
  logging: { level: 'silent' as const },
  sources: { folders: [folder] },
};
afterAll(() => {
  rmSync(dataFolder, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

const textOf = (number: number, round: number): string =>
  `# Post ${number}\n\nThe traveller word${number} came in round ${round}.`;
const pathOf = (number: number): string => join(folder, `part${number % 7}`, `post-${number}.md`);

async function ask(server: ServerProcess, method: string, path: string, body?: object): Promise<JsonObject> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json: unknown = await response.json();
  return isJsonObject(json) ? json : {};
}

test(
  'faults 1: kill -9 in the middle of runs of a source; the next run finishes, nothing is lost or doubled',
  async () => {
    let seed = 20_260_322;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    const rounds = new Map<number, number>();
    const write = (number: number, round: number): void => {
      writeFileSync(pathOf(number), textOf(number, round));
      rounds.set(number, round);
    };
    for (let part = 0; part < 7; part++) mkdirSync(join(folder, `part${part}`));
    for (let number = 0; number < FILES; number++) write(number, 0);

    let server = await startSekishoProcess({ config, dataFolder });
    const source = await ask(server, 'POST', '/v1/sources', {
      name: 'posts',
      collection: 'posts',
      settings: { kind: 'folder', path: folder },
    });
    const path = `/v1/sources/${String(source['id'])}`;
    await ask(server, 'POST', `${path}/run`);
    for (let round = 1; round <= KILLS; round++) {
      await Bun.sleep(20 + random() * 150);
      await server.kill();
      // Meanwhile the folder changes: files come, change and go.
      for (let n = 0; n < 20; n++) write(Math.floor(random() * FILES), round);
      const gone = Math.floor(random() * FILES);
      rmSync(pathOf(gone), { force: true });
      rounds.delete(gone);
      server = await startSekishoProcess({ config, dataFolder });
      await ask(server, 'POST', `${path}/run`);
    }

    const runs = async () => arrayAt(await ask(server, 'GET', `${path}/runs?limit=100`), 'data').filter(isJsonObject);
    const idle = () =>
      eventually(
        'no run goes on',
        async () => (await ask(server, 'GET', path))['running'] === false && (await runs())[0]?.['state'] === 'done',
      );
    await idle();
    // What was killed is noted as such, and there were enough of these.
    expect((await runs()).filter(({ state }) => state === 'interrupted').length).toBeGreaterThan(KILLS / 4);
    await ask(server, 'POST', `${path}/run`);
    await Bun.sleep(50);
    await idle();
    expect((await runs())[0]).toMatchObject({
      complete: true,
      failed: 0,
      found: rounds.size,
      check: { expected: rounds.size, missing: [] },
    });
    await server.stop();

    const database = new Database(join(dataFolder, 'sekisho.db'), { readonly: true });
    const documents = database.query<{ id: string; text: string }, []>('SELECT id, text FROM documents').all();
    const wanted = [...rounds].map(([number, round]) => [
      `${String(source['id'])}/part${number % 7}/post-${number}.md`,
      textOf(number, round),
    ]);
    const byId = (a: readonly string[], b: readonly string[]): number => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1);
    expect(documents.map(({ id, text }) => [id, text]).sort(byId)).toEqual(wanted.sort(byId));
    const noted = database.query<{ n: number }, []>('SELECT COUNT(*) AS n FROM source_documents').get();
    expect(noted?.n).toBe(rounds.size);
    database.close();
  },
  { timeout: 180_000 },
);
