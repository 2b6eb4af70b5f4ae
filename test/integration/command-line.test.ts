import { afterAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = join(folder, 'sekisho.yaml');
writeFileSync(config, 'discover: false\nhandbook: false\n');

/** Runs one command in a process of its own, as a user does. */
async function sekisho(words: string[], variables: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, '../../src/main.ts'), ...words], {
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      SEKISHO_DATA: join(folder, 'data'),
      SEKISHO_CONFIG: config,
      ...variables,
    },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

describe('the command line', () => {
  test('help lists the commands; a word that is none is misuse', async () => {
    const help = await sekisho(['--help']);
    expect(help.code).toBe(0);
    for (const command of ['serve', 'ingest', 'ask', 'keys create', 'config check', 'doctor']) {
      expect(help.out).toContain(command);
    }
    expect(await sekisho(['dance'])).toMatchObject({ code: 2, err: expect.stringContaining('no command "dance"') });
    expect((await sekisho(['serve', '--no-such-option'])).code).toBe(2);
  });

  test('keys are made, listed without their secret, and revoked', async () => {
    const made = await sekisho(['keys', 'create', '--name', 'my app', '--route', 'fast', '--budget', '5']);
    const key = made.out.trim();
    expect(key).toStartWith('sk-sekisho-');
    const id = /key_\w+/.exec(made.err)?.[0] ?? '';
    const list = await sekisho(['keys', 'list']);
    expect(list.out).toContain(id);
    expect(list.out).not.toContain(key);
    expect((await sekisho(['keys', 'revoke', id])).code).toBe(0);
    expect((await sekisho(['keys', 'revoke', id])).code).toBe(1);
    expect((await sekisho(['keys', 'list'])).out).toContain('revoked');
  });

  test('a folder is ingested and asked in two languages; what cannot be read is named', async () => {
    const docs = join(folder, 'docs');
    mkdirSync(docs, { recursive: true });
    writeFileSync(join(docs, 'gate.md'), '# The gate\n\nThe gate of Hakone closes at six in the evening.\n');
    writeFileSync(join(docs, '関所.txt'), '箱根の関所は朝六時に開きます。');
    writeFileSync(join(docs, 'broken.pdf'), 'this is no PDF');
    writeFileSync(join(docs, 'nothing.txt'), '');
    const first = await sekisho(['ingest', docs, '--collection', 'gates']);
    expect(first).toMatchObject({ code: 1, out: expect.stringContaining('2 indexed') });
    expect(first.err).toContain('broken.pdf');
    expect(first.err).toContain('passed over: nothing.txt: empty');
    expect(first.err).not.toContain('0 of 0');
    rmSync(join(docs, 'broken.pdf'));
    expect(await sekisho(['ingest', docs, '--collection', 'gates'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 unchanged'),
    });
    const english = await sekisho(['ask', 'When does the gate of Hakone close?', '--collection', 'gates']);
    expect(english.out).toContain('closes at six in the evening');
    expect(english.out).toContain('[1] gate.md');
    const japanese = await sekisho(['ask', '箱根の関所は何時に開きますか？', '--collection', 'gates']);
    expect(japanese.out).toContain('箱根の関所は朝六時に開きます。');
    expect((await sekisho(['ask', 'anything', '--collection', 'none'])).err).toContain('no collection "none"');
  });

  test('files are handed over and left alone; their task is watched to its end, listed, shown', async () => {
    const docs = join(folder, 'behind');
    mkdirSync(docs, { recursive: true });
    writeFileSync(join(docs, 'ferry.md'), '# The ferry\n\nThe ferry leaves at noon.\n');
    writeFileSync(join(docs, 'bad.docx'), 'this is no document');
    const handed = await sekisho(['ingest', docs, '--collection', 'behind', '--background']);
    const id = handed.out.trim();
    expect(handed).toMatchObject({ code: 0, err: expect.stringContaining(`sekisho tasks watch ${id}`) });
    const watched = await sekisho(['tasks', 'watch', id]);
    expect(watched).toMatchObject({
      code: 0,
      out: expect.stringMatching(new RegExp(`^${id}  done +batch_index +1/2, 1 failed`)),
    });
    expect((await sekisho(['tasks', 'list', '--state', 'done'])).out).toContain(id);
    expect((await sekisho(['tasks', 'show', id])).out).toContain('bad.docx');
    expect((await sekisho(['tasks', 'retry', id])).code).toBe(1);
    expect((await sekisho(['tasks', 'cancel'])).code).toBe(2);
    expect((await sekisho(['tasks', 'dance'])).code).toBe(2);
  });

  test('whoever has read enough of the results closes the pipe', async () => {
    const words = `"${process.execPath}" "${join(import.meta.dirname, '../../src/main.ts')}" collections list`;
    const child = Bun.spawn(['sh', '-c', `(${words}; echo "code $?" >&2) | true`], {
      env: { PATH: process.env['PATH'], HOME: folder, SEKISHO_DATA: join(folder, 'data'), SEKISHO_CONFIG: config },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    expect(await new Response(child.stderr).text()).toBe('code 0\n');
  });

  test('a number of passages that is none is misuse', async () => {
    expect(await sekisho(['ask', 'Why?', '--top-k', 'abc'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--top-k is a number'),
    });
  });

  test('config check and doctor say what is wrong and how to mend it', async () => {
    expect((await sekisho(['config', 'check'])).code).toBe(0);
    const bad = join(folder, 'bad.yaml');
    writeFileSync(bad, 'server: { port: many }\nprovider: {}\n');
    const check = await sekisho(['config', 'check'], { SEKISHO_CONFIG: bad });
    expect(check.code).toBe(1);
    expect(check.err).toContain('server.port');
    expect(check.err).toContain('2 problems');
    expect(await sekisho(['doctor'])).toMatchObject({ code: 0, out: expect.stringContaining('providers: none') });
    writeFileSync(bad, 'discover: false\nproviders: { gone: { wire: openai, base_url: "http://127.0.0.1:1/v1" } }\n');
    const doctor = await sekisho(['doctor'], { SEKISHO_CONFIG: bad });
    expect(doctor).toMatchObject({ code: 1, out: expect.stringContaining('✗ gone') });
  });

  test('a second server on the same data folder is refused in plain words', async () => {
    const first = Bun.spawn([process.execPath, join(import.meta.dirname, '../../src/main.ts'), 'serve'], {
      env: { PATH: process.env['PATH'], SEKISHO_DATA: join(folder, 'owned'), SEKISHO_CONFIG: config, PORT: '0' },
      stdout: 'pipe',
      stderr: 'ignore',
    });
    const reader = first.stdout.getReader();
    await reader.read();
    const second = await sekisho(['serve'], { SEKISHO_DATA: join(folder, 'owned'), PORT: '0' });
    expect(second.code).toBe(1);
    expect(second.err).toContain(`in use by process ${first.pid}`);
    first.kill('SIGTERM');
    expect(await first.exited).toBe(0);
  });
});
