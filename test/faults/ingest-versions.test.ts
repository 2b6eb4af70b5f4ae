import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { eventually } from '../support/eventually.ts';
import {
  allFinished,
  createRandom,
  deletePost,
  POSTS,
  postOf,
  roundOf,
  sendPosts,
  storedPosts,
  textsOf,
} from '../support/ingest-posts.ts';
import { startSekishoProcess } from '../support/start-server.ts';

const CONFIG = { discover: false, handbook: false, logging: { level: 'silent' as const } };
const REF = { tenantId: DEFAULT_TENANT, collection: POSTS, version: 1 };

let dataFolder: string;
beforeEach(() => {
  dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-versions-'));
});
afterEach(() => rmSync(dataFolder, { recursive: true, force: true }));

const start = () => startSekishoProcess({ config: CONFIG, dataFolder });
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Index and store know the same documents, with as many chunks, each once. */
async function expectSound(): Promise<void> {
  const stored = [...storedPosts(dataFolder).values()];
  const index = createLanceIndex({ folder: join(dataFolder, 'index') });
  try {
    expect([...(await index.documentIds(REF))].sort()).toEqual(stored.map(({ id }) => id).sort());
    const chunks = stored.reduce((sum, row) => sum + row.chunks, 0);
    expect(await index.count(REF)).toBe(chunks);
    const hits = await index.searchLexical(REF, ['round'], { limit: chunks + 1 });
    expect(new Set(hits.map((hit) => hit.chunkId)).size).toBe(chunks);
  } finally {
    await index.close();
  }
}

describe('kill -9 of the indexer', () => {
  test('while documents are replaced: what was accepted is finished unasked, and a reader never sees torn text', async () => {
    const ROUNDS = 10;
    const random = createRandom(20_260_401);
    let server = await start();
    expect(
      await sendPosts(
        server,
        range(0, 200).map((number) => postOf(number, 0)),
      ),
    ).toBe(true);
    /** The round of each document that the store holds, waiting or live. */
    const accepted = new Map(range(0, 200).map((number) => [number, 0]));
    const torn: string[] = [];
    const absent: string[] = [];
    let interrupted = 0;
    let read = 0;

    for (let round = 1; round <= ROUNDS; round++) {
      const sent = [...range(0, 200).filter(() => random() < 0.5), ...range(100 + 100 * round, 200 + 100 * round)];
      const begun = Promise.withResolvers<void>();
      const reading = (async () => {
        for (;;) {
          const number = Math.floor(random() * 200);
          const texts = await textsOf(server, number);
          begun.resolve();
          if (texts === undefined) return;
          read++;
          if (texts.length === 0) absent.push(`word${number} in round ${round}`);
          torn.push(...texts.filter((text) => roundOf(number, text) === undefined));
        }
      })();
      const sending = sendPosts(
        server,
        sent.map((number) => postOf(number, round)),
      );
      await Bun.sleep(random() * 250);
      await server.kill();
      const acknowledged = await sending;
      await reading;
      if (!acknowledged) interrupted++;

      const stored = storedPosts(dataFolder);
      for (const number of sent) {
        const row = stored.get(`post-${number}`);
        const isHere = [row?.text, row?.pending_text].includes(postOf(number, round).content);
        if (acknowledged) expect(isHere).toBe(true);
        if (isHere) accepted.set(number, round);
      }
      server = await start();
    }

    expect(interrupted).toBeGreaterThan(ROUNDS / 2);
    expect(read).toBeGreaterThan(ROUNDS);
    await allFinished(dataFolder);
    for (const number of [3, 99, 150]) {
      const [text = ''] = (await textsOf(server, number)) ?? [];
      expect(roundOf(number, text)).toBe(accepted.get(number));
    }
    await server.stop();
    expect({ torn, absent }).toEqual({ torn: [], absent: [] });
    const stored = storedPosts(dataFolder);
    expect(stored.size).toBe(accepted.size);
    const wrong = [...accepted].filter(
      ([number, round]) => stored.get(`post-${number}`)?.text !== postOf(number, round).content,
    );
    expect(wrong).toEqual([]);
    await expectSound();
  }, 60_000);

  test('while documents are deleted: each is wholly there or wholly gone, and what was marked goes', async () => {
    const ROUNDS = 6;
    const PER_ROUND = 30;
    const random = createRandom(20_260_402);
    let server = await start();
    const posts = range(0, ROUNDS * PER_ROUND + 20).map((number) => postOf(number, 1));
    expect(await sendPosts(server, posts)).toBe(true);
    const gone = new Set<string>();
    let interrupted = 0;

    for (let round = 0; round < ROUNDS; round++) {
      const ids = range(round * PER_ROUND, (round + 1) * PER_ROUND).map((number) => `post-${number}`);
      const deleting = Promise.all(ids.map((id) => deletePost(server, id)));
      await Bun.sleep(random() * 120);
      await server.kill();
      const acknowledged = await deleting;
      const stored = storedPosts(dataFolder);
      ids.forEach((id, at) => {
        const row = stored.get(id);
        if (acknowledged[at] === true) expect(row).toBeUndefined();
        else interrupted++;
        if (row === undefined || row.state === 'deleting') gone.add(id);
      });
      server = await start();
    }

    expect(interrupted).toBeGreaterThan(0);
    await allFinished(dataFolder);
    for (const [at, post] of posts.entries()) {
      if (at % 7 !== 0) continue;
      const texts = await textsOf(server, at);
      expect({ id: post.id, found: texts?.length !== 0 }).toEqual({ id: post.id, found: !gone.has(post.id) });
    }
    await server.stop();
    expect([...storedPosts(dataFolder).keys()].sort()).toEqual(
      posts
        .map(({ id }) => id)
        .filter((id) => !gone.has(id))
        .sort(),
    );
    await expectSound();
  }, 60_000);

  test('while a collection is deleted: it is whole, or it is gone and its name is free', async () => {
    const random = createRandom(20_260_403);
    const posts = range(0, 40).map((number) => postOf(number, 2));
    let server = await start();
    for (let round = 0; round < 5; round++) {
      await eventually('the name is free', () => sendPosts(server, posts));
      const deleting = deletePost(server);
      await Bun.sleep(random() * 30);
      await server.kill();
      const acknowledged = await deleting;
      if (acknowledged) expect(storedPosts(dataFolder).size).toBe(0);
      server = await start();
    }
    // Whatever the last deletion came to: the same documents are there again, once.
    await eventually('the name is free', () => sendPosts(server, posts));
    expect((await textsOf(server, 7))?.map((text) => roundOf(7, text))).toEqual([2]);
    await server.stop();
    expect(storedPosts(dataFolder).size).toBe(posts.length);
    await expectSound();
  }, 60_000);
});
