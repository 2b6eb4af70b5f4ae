/**
 * Texts of others that would be more than text where they arrive: line ends that begin a line of the log or a header,
 * escapes that a terminal obeys. They arrive as text.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKeys } from '../../src/access/keys.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';
import { eventually } from '../support/eventually.ts';
import { rawRequest } from '../support/raw-request.ts';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-lines-'));
const logFile = join(folder, 'sekisho.log');
let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage({ logging: { level: 'debug', sinks: [{ type: 'file', path: logFile }] } });
});
afterAll(async () => {
  await stage.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Stands in every prompt; prompts are not logged at all. */
const PROMPT = 'said-in-confidence-7531';
const EVIL = [
  'a\r\nX-Injected: yes\r\n\r\n<script>',
  'a\n{"level":"error","msg":"forged"}',
  'a\u001b[2J\u001b]0;owned\u0007\u001b[31m',
  'a\u0000b\u0008\u007f\u009b31m',
  'a\u2028{"level":"error","msg":"forged"}\u2029',
  'a\u202egnp.exe\u2066',
  '${jndi:ldap://127.0.0.1/x}%n%s',
];
// eslint-disable-next-line no-control-regex
const ACTIVE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

/** Does all that a caller and an upstream can do with one text; gives the raw answers. */
async function everywhere(text: string): Promise<string[]> {
  const raw: string[] = [];
  const send = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const json = JSON.stringify(body);
    const lines = Object.entries({
      host: 'localhost',
      connection: 'close',
      authorization: `Bearer ${stage.server.adminKey}`,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(json)),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    const { text: answer } = await rawRequest(
      stage.server.url,
      `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${json}`,
    );
    raw.push(answer);
  };
  const chat = { messages: [{ role: 'user', content: `${PROMPT} ${text}`, name: text }], user: text };
  await send('/v1/chat/completions', { model: 'fast', ...chat });
  await send('/v1/chat/completions', { model: text, ...chat });
  await send('/v1/chat/completions', { model: `up/${text}`, ...chat });
  await send('/v1/messages', { model: `rag/${text}`, max_tokens: 9, ...chat });
  await send(`/v1/keys/${encodeURIComponent(text)}/rotate`, {});
  await send(`/v1/${encodeURIComponent(text)}`, {});
  await send(
    '/v1/chat/completions',
    { model: 'fast', ...chat },
    {
      'x-sekisho-tags': encodeURIComponent(text),
      'x-sekisho-session': encodeURIComponent(text),
    },
  );
  await send('/v1/routes/r', { targets: [`up/${text}`], description: text });
  // An upstream is no friend either: its words in an error, its name of a model, its answer.
  stage.upstream.script({ fail: { status: 400, body: JSON.stringify({ error: { message: text, code: text } }) } });
  await send('/v1/chat/completions', { model: 'fast', ...chat });
  const answer = { role: 'assistant', content: text, tool_calls: undefined };
  stage.upstream.script({
    body: JSON.stringify({
      id: text,
      object: 'chat.completion',
      created: 1,
      model: text,
      choices: [{ index: 0, message: answer, finish_reason: 'stop' }],
    }),
  });
  await send('/v1/messages', { model: 'fast', max_tokens: 9, ...chat });
  await stage.ask('PUT', `/v1/routes/${encodeURIComponent(text)}`, { targets: ['up/m'] });
  return raw;
}

describe.each(EVIL)('attack 19: %j', (text) => {
  test('is no header and no second answer', async () => {
    for (const answer of await everywhere(text)) {
      const [head = ''] = answer.split('\r\n\r\n');
      expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
      expect(head.toLowerCase()).not.toContain('\nx-injected');
      for (const line of head.split('\r\n')) expect(line).toMatch(/^[\x20-\x7e]+$/);
    }
  });
});

test('attack 19: the log has one JSON object a line, and nothing in it that a terminal obeys or that forges a line', async () => {
  const marker = `marker-${crypto.randomUUID()}`;
  await stage.chat(`up/${marker}`);
  const log = await eventually('the log is written', () => {
    const written = readFileSync(logFile, 'utf8');
    return written.includes(marker) && written;
  });
  const lines = log.split('\n').filter((line) => line !== '');
  expect(lines.length).toBeGreaterThan(EVIL.length * 5);
  for (const line of lines) {
    const entry = parseJson(line);
    expect(isJsonObject(entry) && typeof entry['msg']).toBe('string');
    expect(isJsonObject(entry) && entry['msg']).not.toBe('forged');
    expect(line).not.toMatch(ACTIVE);
  }
  expect(log.includes(PROMPT)).toBe(false);
});

test('attack 19: metrics stay one sample a line', async () => {
  const { text } = await stage.ask('GET', '/metrics');
  for (const line of text.split('\n')) expect(line).toMatch(/^(?:#.*|[a-z_][a-z0-9_]*(?:\{.*\})? \S+(?: \d+)?)?$/i);
  expect(text).not.toMatch(ACTIVE);
});

test('attack 19: the command line shows names, titles and answers of others as text', async () => {
  const text = 'gate\u001b[2J\u001b]0;owned\u0007\u202egnp';
  const indexed = await stage.ask('POST', '/v1/index', {
    collection_name: 'gates',
    documents: [{ id: 'd1', title: text, content: `The gate of Hakone ${text} closes at six in the evening.` }],
  });
  expect(indexed.status).toBe(200);
  // As a row of a version before that took any name.
  const database = createSqliteDatabase({ path: join(stage.server.dataFolder, 'sekisho.db') });
  await createKeys({ database, clock: systemClock }).create({
    tenantId: DEFAULT_TENANT,
    name: `${text}\nkey_forged  sk-sekisho-forged`,
    role: 'member',
  });
  await database.close();
  const config = join(folder, 'sekisho.yaml');
  await Bun.write(config, 'discover: false\nhandbook: false\n');
  await stage.pause();
  for (const words of [
    ['keys', 'list'],
    ['ask', 'When does the gate of Hakone close?', '--collection', 'gates'],
    [text],
  ]) {
    const child = Bun.spawn([process.execPath, join(import.meta.dirname, '../../src/main.ts'), ...words], {
      env: { PATH: process.env['PATH'], HOME: folder, SEKISHO_DATA: stage.server.dataFolder, SEKISHO_CONFIG: config },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(`${out}${err}`).toContain('gate\\u001b[2J');
    expect(`${out}${err}`).not.toMatch(ACTIVE);
    expect(out).not.toMatch(/^key_forged/m);
  }
});
