import { afterEach, expect, test } from 'bun:test';
import { symlinkSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { PLACE } from '../../../test/support/ingest-stage.ts';
import { figures, openSourceStage, type SourceStage } from '../../../test/support/source-stage.ts';
import { DEFAULT_TENANT } from '../../spec/ids.ts';

let stage: SourceStage | undefined;
afterEach(async () => {
  await stage?.end();
  stage = undefined;
});
const counts = (found: number, changed: number, unchanged: number, removed = 0, failed = 0) => ({
  found,
  changed,
  unchanged,
  removed,
  failed,
});

test('a folder comes in, and only what changes is written again', async () => {
  stage = await openSourceStage();
  const { write, run, create, ids, find } = stage;
  write('a.md', '# Apples\nAn apple is red.');
  write('deep/b.md', '# Pears\nA pear is green.');
  write('deep/.hidden.md', 'hidden');
  write('picture.bin', 'no text');
  const source = await create({ kind: 'folder', path: stage.inbox });
  expect(figures(await run(source))).toEqual(['done', counts(2, 2, 0), true, []]);
  expect(await ids()).toEqual(['a.md', 'deep/b.md']);
  expect(figures(await run(source))).toEqual(['done', counts(2, 0, 2), true, []]);

  // A new time with the old content passes the first gate and is stopped by the second.
  utimesSync(join(stage.inbox, 'a.md'), 1, 1);
  write('deep/b.md', '# Pears\nA pear is yellow.');
  expect(figures(await run(source))).toEqual(['done', counts(2, 1, 1), true, []]);
  expect((await find('yellow')).join()).toContain('deep/b.md');
  expect(await find('green')).toEqual([]);

  const document = await stage.documents.get(PLACE, `${source.id}/deep/b.md`);
  expect(document?.metadata).toMatchObject({ source: source.id, file: 'deep/b.md' });
  expect(document?.metadata['modified']).toMatch(/^20\d\d-/);
  expect(stage.errors).toEqual([]);
});

test.each([
  ['full', 1, ['b.md']],
  ['incremental', 1, ['b.md']],
  ['none', 0, ['a.md', 'b.md']],
] as const)('what is gone goes, with the policy %s', async (removal, removed, left) => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  stage.write('b.md', 'A pear is green.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox }, { removal });
  await stage.run(source);
  rmSync(join(stage.inbox, 'a.md'));
  expect((await stage.run(source)).removed).toBe(removed);
  expect(await stage.ids()).toEqual([...left]);
  expect((await stage.find('apple')).length).toBe(1 - removed);
});

test('a folder that is not there any more removes nothing', async () => {
  stage = await openSourceStage();
  stage.write('in/a.md', 'An apple is red.');
  const source = await stage.create({ kind: 'folder', path: join(stage.inbox, 'in') });
  await stage.run(source);
  rmSync(join(stage.inbox, 'in'), { recursive: true });
  const run = await stage.run(source);
  expect([run.state, run.removed, run.listed.complete]).toEqual(['failed', 0, false]);
  expect(run.reason).toContain('the folder is not there');
  expect(await stage.ids()).toEqual(['a.md']);
});

test('a file that cannot be read fails alone and is tried again', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  stage.write('b.json', '{"broken": ');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  const first = await stage.run(source);
  expect(figures(first)).toEqual(['done', counts(2, 1, 0, 0, 1), true, []]);
  expect(first.failures[0]).toMatchObject({ key: 'b.json' });
  expect(first.failures[0]?.reason).toContain('"b.json"');
  expect(figures(await stage.run(source))).toEqual(['done', counts(2, 0, 1, 0, 1), true, []]);
  stage.write('b.json', '{"content": "A pear is green."}');
  expect(figures(await stage.run(source))).toEqual(['done', counts(2, 1, 1), true, []]);
});

test('the hash stands only once the write is confirmed', async () => {
  let down = true;
  stage = await openSourceStage({
    stage: {
      beforeEmbed: () => {
        if (down) throw new Error('the model is away');
      },
    },
  });
  stage.write('a.md', 'An apple is red.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  expect(await stage.run(source)).toMatchObject({ changed: 0, failed: 1 });
  const hashes = () => stage?.database.all('SELECT hash, stamp FROM source_items');
  expect(await hashes()).toEqual([{ hash: null, stamp: null }]);
  down = false;
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 1, 0), true, []]);
  expect(await stage.find('apple')).toHaveLength(1);
});

test('records that a file no longer holds go with it', async () => {
  stage = await openSourceStage();
  const lines = (...words: string[]): string =>
    words.map((word) => JSON.stringify({ id: word, content: `About ${word}.` })).join('\n');
  stage.write('all.jsonl', lines('apples', 'pears', 'plums'));
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.run(source);
  expect(await stage.ids()).toEqual(['all.jsonl#apples', 'all.jsonl#pears', 'all.jsonl#plums']);
  stage.write('all.jsonl', lines('apples', 'plums'));
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 1, 0), true, []]);
  expect(await stage.ids()).toEqual(['all.jsonl#apples', 'all.jsonl#plums']);
});

test('a document that was deleted behind the source is told as missing and comes back', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  stage.write('b.md', 'A pear is green.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.run(source);
  await stage.ingest.remove(PLACE, [`${source.id}/a.md`]);
  expect(figures(await stage.run(source))).toEqual(['done', counts(2, 1, 1), true, []]);
  expect(await stage.find('apple')).toHaveLength(1);
});

test('one that was set to be open to some is written again when that changes', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.run(source);
  const changed = await stage.sources.change(DEFAULT_TENANT, source.id, { access: { groups: ['board'] } });
  expect(changed.nextRunMs).not.toBeNull();
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 1, 0), true, []]);
  const access = async () => (await stage?.documents.get(PLACE, `${source.id}/a.md`))?.access;
  expect(await access()).toEqual({ groups: ['board'] });
  expect(figures(await stage.run(source))).toEqual(['done', counts(1, 0, 1), true, []]);
  await stage.sources.change(DEFAULT_TENANT, source.id, { access: null });
  await stage.run(source);
  expect(await access()).toBeNull();
});

test('what was said of one document stays with it', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.run(source);
  const id = `${source.id}/a.md`;
  await stage.startIngest().send([{ id, content: 'An apple is red.', access: { groups: ['board'] } }]);
  stage.write('a.md', 'An apple is green.');
  expect((await stage.run(source)).changed).toBe(1);
  expect((await stage.documents.get(PLACE, id))?.access).toEqual({ groups: ['board'] });
});

test('links out of the folder are passed over, also as folders', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  symlinkSync('/etc/passwd', join(stage.inbox, 'passwd.txt'));
  symlinkSync('/etc', join(stage.inbox, 'etc'));
  const source = await stage.create({ kind: 'folder', path: stage.inbox, include: ['**'] });
  expect((await stage.run(source)).found).toBe(1);
  expect(await stage.ids()).toEqual(['a.md']);
});

test('the bounds of a run end its listing, and nothing is removed by one that did not end', async () => {
  const bounds = { items: 2, bytes: 1e9, ms: 1e9, concurrency: 2 };
  stage = await openSourceStage();
  for (const name of ['a', 'b', 'c']) stage.write(`${name}.md`, `About ${name}.`);
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  await stage.run(source);
  const bounded = stage.open({ bounds });
  const run = await stage.run(source, bounded);
  expect([run.found, run.removed, run.listed]).toEqual([2, 0, { complete: false, reason: 'more than 2 items' }]);
  expect(await stage.ids()).toEqual(['a.md', 'b.md', 'c.md']);
  await bounded.close();
});

test('a deleted collection does not come back with its source', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox }, { schedule: '0 3 * * *' });
  await stage.run(source);
  await stage.ingest.removeCollection(PLACE);
  expect(await stage.run(source)).toMatchObject({ state: 'failed', changed: 0 });
  expect(await stage.sources.get(DEFAULT_TENANT, source.id)).toMatchObject({ state: 'paused', nextRunMs: null });
});

test('a collection that is renamed during a run is not made again', async () => {
  stage = await openSourceStage();
  const { database } = stage;
  stage.write('a.md', 'An apple is red.');
  const source = await stage.create({ kind: 'folder', path: stage.inbox });
  const slow = stage.open({
    documents: {
      known: async () => {
        await database.run("UPDATE sources SET collection = 'other'");
        return new Map();
      },
    },
  });
  for (let n = 0; n < 101; n++) stage.write(`${n}.md`, `About ${n}.`);
  const run = await stage.run(source, slow);
  expect([run.state, run.reason, run.removed]).toMatchObject(['failed', expect.stringContaining('another name'), 0]);
  await slow.close();
});

test('a source takes its documents with it, unless they are to stay', async () => {
  stage = await openSourceStage();
  stage.write('a.md', 'An apple is red.');
  const [gone, kept] = [
    await stage.create({ kind: 'folder', path: stage.inbox }),
    await stage.create({ kind: 'folder', path: stage.inbox }),
  ];
  await stage.run(gone);
  await stage.run(kept);
  await stage.sources.remove(DEFAULT_TENANT, gone.id, 'delete');
  await stage.sources.remove(DEFAULT_TENANT, kept.id, 'keep');
  expect((await stage.find('apple')).map((each) => each.split('/')[0])).toEqual([kept.id]);
  const left = await stage.database.all('SELECT source_id FROM source_items UNION SELECT id FROM sources');
  expect(left).toEqual([]);
});
