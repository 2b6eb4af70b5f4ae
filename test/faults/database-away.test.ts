import { Database } from 'bun:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, setSystemTime, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import { startStage, type Stage } from '../support/stage.ts';

const GRACE_MS = 300_000;

let stage: Stage;
let database: Database;
let away = false;
beforeAll(async () => {
  stage = await startStage();
  const name = readdirSync(stage.server.dataFolder).find((file) => /\.(db|sqlite)$/.test(file)) ?? '';
  database = new Database(join(stage.server.dataFolder, name), { readwrite: true });
});
afterAll(async () => {
  database.close();
  await stage.stop();
});
beforeEach(() => stage.reset());
afterEach(() => {
  setSystemTime();
  bringBack();
});

/** Every read of a key fails, as it does where the database is gone. */
function takeAway(): void {
  database.run('ALTER TABLE api_keys RENAME TO api_keys_away');
  away = true;
}
function bringBack(): void {
  if (away) database.run('ALTER TABLE api_keys_away RENAME TO api_keys');
  away = false;
}

const PATHS = ['/v1/chat/completions', '/v1/messages', '/v1/responses'];
async function ask(key: string, path = '/v1/chat/completions') {
  const response = await stage.post(
    path,
    { model: 'fast', ...(path.endsWith('responses') ? { input: 'Open?' } : { max_tokens: 9, messages: MESSAGES }) },
    { headers: { authorization: `Bearer ${key}` } },
  );
  return { status: response.status, body: await response.text() };
}
const MESSAGES = [{ role: 'user', content: 'Open?' }];

test.each(PATHS)('C4: %s: with the database down a key that is not known yet gets a 503, never a 401', async (path) => {
  const key = await stage.server.createKey({ name: 'never seen' });
  takeAway();
  for (const each of [key, 'sk-sekisho-of-nobody']) {
    const { status, body } = await ask(each, path);
    expect(status).toBe(503);
    const json = parseJson(body);
    const error = isJsonObject(json) && isJsonObject(json['error']) ? json['error'] : {};
    expect([error['code'], error['type']]).not.toContain('invalid_key');
    expect(body).not.toContain('api_keys');
  }
  expect(stage.upstream.requests).toHaveLength(0);
  bringBack();
  expect((await ask(key, path)).status).toBe(200);
  expect((await ask('sk-sekisho-of-nobody', path)).status).toBe(401);
});

test('C4: a key that was seen goes on for the grace that is stated, and then gets a 503', async () => {
  const key = await stage.server.createKey({ name: 'seen' });
  expect((await ask(key)).status).toBe(200);
  takeAway();
  const seenMs = Date.now();
  for (const laterMs of [0, 2_000, GRACE_MS - 5_000]) {
    setSystemTime(seenMs + laterMs);
    expect([laterMs, (await ask(key)).status]).toEqual([laterMs, 200]);
  }
  setSystemTime(seenMs + GRACE_MS + 5_000);
  expect((await ask(key)).status).toBe(503);
  bringBack();
  expect((await ask(key)).status).toBe(200);
});

test('C4: a key that is revoked or has expired does not outlive that in the grace', async () => {
  const key = await stage.server.createKey({ name: 'short', expiresMs: Date.now() + 60_000 });
  expect((await ask(key)).status).toBe(200);
  takeAway();
  setSystemTime(Date.now() + 61_000);
  expect((await ask(key)).status).toBe(401);
});
