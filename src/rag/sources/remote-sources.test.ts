import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { hasGit, startGitServer, type GitServer } from '../../../test/support/git-server.ts';
import { PLACE } from '../../../test/support/ingest-stage.ts';
import { S3_KEYS, startS3Server, type S3Server } from '../../../test/support/s3-server.ts';
import { figures, openSourceStage, type SourceStage } from '../../../test/support/source-stage.ts';

let stage: SourceStage;
beforeEach(async () => {
  stage = await openSourceStage();
});
afterEach(() => stage.end());
const counts = (found: number, changed: number, unchanged: number, removed = 0, failed = 0) => ({
  found,
  changed,
  unchanged,
  removed,
  failed,
});

describe('a bucket', () => {
  let server: S3Server;
  beforeEach(() => {
    server = startS3Server({ bucket: 'papers' });
  });
  afterEach(() => server.stop());
  const put = (key: string, body: string, modified = '2026-01-01T00:00:00.000Z'): void =>
    void server.objects.set(key, { body, modified });
  const settings = (more: object = {}) => ({ kind: 's3', bucket: 'papers', endpoint: server.endpoint, ...more });

  test('page by page, signed, by ETag; what is gone goes', async () => {
    // Each of these is written otherwise in a URL, in a query and in a signature.
    const keys = ['a b+c.md', 'docs/日本語.md', "docs/it's (1)!*.md", 'docs/100%.md', 'docs/ü&=?#.md'];
    for (const key of keys) put(key, `Words about number ${keys.indexOf(key)}.`);
    put('docs/', '');
    put('docs/picture.bin', 'no text');
    const source = await stage.create(settings(), { credentials: S3_KEYS });
    expect((await stage.run(source)).failures).toEqual([]);
    expect((await stage.ids()).sort()).toEqual([...keys].sort());
    const text = (await stage.documents.get(PLACE, `${source.id}/docs/日本語.md`))?.text;
    expect(text).toBe('Words about number 1.');

    server.asked.length = 0;
    expect(figures(await stage.run(source))).toEqual(['done', counts(5, 0, 5), true, []]);
    expect(server.asked.every((each) => each.includes('list-type=2'))).toBe(true);
    server.objects.delete('a b+c.md');
    put('docs/100%.md', 'Other words.');
    expect(figures(await stage.run(source))).toEqual(['done', counts(4, 1, 3, 1), true, []]);
  });

  test('only below its prefix, and nothing without the right key', async () => {
    put('in/a.md', 'Words.');
    put('out/b.md', 'Words.');
    const source = await stage.create(settings({ prefix: 'in/' }), { credentials: S3_KEYS });
    await stage.run(source);
    expect(await stage.ids()).toEqual(['in/a.md']);
    const wrong = await stage.create(settings(), { credentials: { ...S3_KEYS, secret_access_key: 'wrong' } });
    const run = await stage.run(wrong);
    expect(run).toMatchObject({ state: 'failed', found: 0 });
    expect(run.reason).toContain('403');
    expect(JSON.stringify(run)).not.toContain('wrong"');
  });

  test('keys that would be other addresses are told, not asked for', async () => {
    put('a/../../other/secret.md', 'Words.');
    const source = await stage.create(settings(), { credentials: S3_KEYS });
    expect((await stage.run(source)).failures).toMatchObject([{ key: 'a/../../other/secret.md' }]);
    expect(server.asked).toHaveLength(1);
  });
});

describe.skipIf(!hasGit())('a repository', () => {
  let server: GitServer;
  beforeEach(() => {
    server = startGitServer();
  });
  afterEach(() => server.stop());

  test('the newest commit of a branch; a branch that has not moved is not fetched', async () => {
    server.commit({ 'README.md': '# Read me\nApples are red.', 'docs/a.md': 'Pears are green.', 'bin/x.bin': 'x' });
    server.git('config', '--file', '.gitmodules', 'submodule.x.path', 'x');
    const source = await stage.create({ kind: 'git', url: server.url });
    expect(figures(await stage.run(source))).toEqual(['done', counts(2, 2, 0), true, []]);
    expect(await stage.ids()).toEqual(['README.md', 'docs/a.md']);

    server.asked.length = 0;
    expect(figures(await stage.run(source))).toEqual(['done', counts(2, 0, 2), true, []]);
    expect(server.asked).toHaveLength(1);

    server.commit({ 'docs/a.md': null, 'docs/b.md': 'Plums are blue.' });
    expect(figures(await stage.run(source))).toEqual(['done', counts(2, 1, 1, 1), true, []]);
    expect(await stage.ids()).toEqual(['README.md', 'docs/b.md']);
    expect(await stage.find('pear')).toEqual([]);
  });

  test('a branch, a folder, patterns; links and submodules are no files', async () => {
    server.commit({ 'README.md': 'Main.' });
    server.commit(
      { 'docs/a.md': 'Words.', 'docs/deep/b.md': 'Words.', 'docs/deep/c.txt': 'Words.', 'x.md': 'X.' },
      'next',
    );
    server.git('checkout', '-q', 'next');
    server.git(
      'update-index',
      '--add',
      '--cacheinfo',
      `120000,${server.git('rev-parse', 'HEAD:x.md').trim()},docs/link.md`,
    );
    server.git('update-index', '--add', '--cacheinfo', `160000,${server.git('rev-parse', 'HEAD').trim()},docs/sub.md`);
    server.git('commit', '-q', '-m', 'links');
    server.git('checkout', '-q', '-f', 'main');
    const source = await stage.create({
      kind: 'git',
      url: server.url,
      branch: 'next',
      path: 'docs',
      include: ['**/*.md'],
    });
    expect((await stage.run(source)).failures).toEqual([]);
    expect(await stage.ids()).toEqual(['docs/a.md', 'docs/deep/b.md']);
    const none = await stage.create({ kind: 'git', url: server.url, branch: 'absent' });
    expect((await stage.run(none)).reason).toContain('no such branch');
  });

  test('credentials are sent, and not told', async () => {
    server.commit({ 'README.md': 'Words.' });
    server.require(`Basic ${btoa('git:s3cret-token')}`);
    const open = await stage.create({ kind: 'git', url: server.url });
    expect((await stage.run(open)).reason).toContain('credentials');
    const source = await stage.create(
      { kind: 'git', url: server.url },
      { credentials: { username: 'git', password: 's3cret-token' } },
    );
    const run = await stage.run(source);
    expect(figures(run)).toEqual(['done', counts(1, 1, 0), true, []]);
    const stored = JSON.stringify([run, source, await stage.database.all('SELECT * FROM sources')]);
    expect(stored).not.toContain('s3cret-token');
  });

  test('what is no repository is told in plain words', async () => {
    const source = await stage.create({ kind: 'git', url: server.url.replace('/work/', '/other/') });
    expect((await stage.run(source)).reason).toContain('no repository');
  });
});
