import { afterAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isJsonObject, objectAt, type JsonObject } from '../../src/lib/json.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { eventually } from '../support/eventually.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

/** The smallest disk on which the empty stores and a few documents have room. */
const SMALL = '4m';
const LARGE = '256m';
const CONFIG = { discover: false, handbook: false, logging: { level: 'silent' as const } };

const disk = mkdtempSync(join(tmpdir(), 'sekisho-disk-'));
const mount = (...args: string[]): boolean =>
  Bun.spawnSync(['mount', ...args], { stdout: 'ignore', stderr: 'ignore' }).exitCode === 0;
const mounted = process.platform === 'linux' && mount('-t', 'tmpfs', '-o', `size=${SMALL}`, 'tmpfs', disk);
afterAll(() => {
  if (mounted) Bun.spawnSync(['umount', '-l', disk]);
  rmSync(disk, { recursive: true, force: true });
});

async function send(server: ServerProcess, method: string, path: string, body?: object) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const json: unknown = JSON.parse(await response.text());
  return { status: response.status, body: isJsonObject(json) ? json : ({} satisfies JsonObject) };
}

const batchOf = (batch: number) =>
  Array.from({ length: 40 }, (_, i) => {
    const word = `word${batch}x${i}`;
    return {
      id: `doc-${batch}-${i}`,
      content: `The traveller ${word} passed. ${'関所の記録です。'.repeat(60)} ${batch}/${i}`,
    };
  });
const index = (server: ServerProcess, batch: number) =>
  send(server, 'POST', '/v1/index', { collection_name: 'posts', documents: batchOf(batch) });

test.skipIf(!mounted)(
  `faults 7: a full disk is a 503, harms nothing that was acknowledged, and is gone with the fullness${
    mounted ? '' : ' (a disk cannot be mounted here)'
  }`,
  async () => {
    const dataFolder = join(disk, 'data');
    const server = await startSekishoProcess({ config: CONFIG, dataFolder });
    let full = 0;
    let refused: Awaited<ReturnType<typeof send>> | undefined;
    while (refused === undefined) {
      const told = await index(server, full);
      const failed = told.body['failed'];
      if (told.status !== 200 || (Array.isArray(failed) && failed.length > 0)) refused = told;
      else full++;
      expect(full).toBeLessThan(200);
    }
    expect(full).toBeGreaterThan(0);
    expect(refused.status).toBe(503);
    expect(objectAt(refused.body, 'error')?.['code']).toBe('storage_unavailable');

    // It is still there and reads what it has; what would be billed is refused, since it could not be booked.
    const read = await send(server, 'GET', '/v1/collections/posts/documents/doc-0-7');
    expect({ status: read.status, id: read.body['id'] }).toEqual({ status: 200, id: 'doc-0-7' });
    const search = () => send(server, 'POST', '/v1/search', { collection: 'posts', query: 'word0x7' });
    expect([200, 503]).toContain((await search()).status);

    // Space comes back; the same process goes on.
    expect(mount('-o', `remount,size=${LARGE}`, disk)).toBe(true);
    expect(
      await eventually(
        'it takes documents again',
        async () => {
          const told = await index(server, full);
          return told.status === 200 && told.body;
        },
        20_000,
      ),
    ).toMatchObject({ failed: [] });
    expect(JSON.stringify((await search()).body['hits'])).toContain('doc-0-7');
    for (const batch of [full + 1, full + 2]) expect((await index(server, batch)).status).toBe(200);
    const { body } = await send(server, 'GET', '/v1/collections/posts');
    const documents = 40 * (full + 3);
    expect(objectAt(body, 'statistics')).toMatchObject({ documents, waiting: 0, by_state: { ready: documents } });
    await server.stop();

    const lance = createLanceIndex({ folder: join(dataFolder, 'index') });
    const ref = { tenantId: DEFAULT_TENANT, collection: 'posts', version: 1 };
    expect((await lance.documentIds(ref)).size).toBe(documents);
    expect(await lance.count(ref)).toBe(Number(objectAt(body, 'statistics')?.['chunks']));
    await lance.close();
  },
  120_000,
);
