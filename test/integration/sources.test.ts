import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrayAt, isJsonObject, type JsonObject } from '../../src/lib/json.ts';
import { sourceRunSchema, sourceSchema } from '../../src/http/contract/sources.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';
import { eventually } from '../support/eventually.ts';

let stage: AdminStage;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sekisho-source-http-'));
  stage = await startAdminStage({ sources: { folders: [folder] } });
});
afterAll(async () => {
  await stage.stop();
  rmSync(folder, { recursive: true, force: true });
});

const ended = async (path: string, runId: unknown): Promise<JsonObject> => {
  let run: JsonObject | undefined;
  await eventually('the run has ended', async () => {
    const runs = arrayAt((await stage.ask('GET', `${path}/runs`)).json, 'data').filter(isJsonObject);
    run = runs.find(({ id }) => id === runId);
    return run !== undefined && run['state'] !== 'running';
  });
  return run ?? {};
};

test('a folder over HTTP, from setting up to asking and deleting; it outlives a restart', async () => {
  writeFileSync(join(folder, 'harbour.md'), '# Harbour\n\nThe harbour closes at nine in the evening.');
  const made = await stage.ask('POST', '/v1/sources', {
    name: 'papers',
    collection: 'port',
    schedule: '0 3 * * *',
    time_zone: 'Asia/Tokyo',
    settings: { kind: 'folder', path: folder },
  });
  expect(made.status).toBe(201);
  expect(sourceSchema.parse(made.json)).toMatchObject({ removal: 'full', state: 'active', last_run: null });
  const path = `/v1/sources/${String(made.json['id'])}`;
  const begun = await stage.ask('POST', `${path}/run`);
  expect(begun.status).toBe(202);
  const run = await ended(path, begun.json['run']);
  expect(sourceRunSchema.parse(run)).toMatchObject({
    state: 'done',
    complete: true,
    changed: 1,
    check: { expected: 1 },
  });

  const found = await stage.ask('POST', '/v1/search', { query: 'When does the harbour close?', collection: 'port' });
  expect(found.text).toContain('nine in the evening');
  expect(found.text).toContain('harbour.md');

  await stage.restart();
  const again = await stage.ask('GET', path);
  expect(sourceSchema.parse(again.json).last_run).toMatchObject({ changed: 1 });
  expect((await stage.ask('PATCH', path, { state: 'paused', name: 'old papers' })).json).toMatchObject({
    name: 'old papers',
    state: 'paused',
    next_run_at: null,
  });
  expect((await stage.ask('DELETE', path)).json).toMatchObject({ deleted: true });
  await eventually('its documents are gone', async () => {
    const documents = await stage.ask('GET', '/v1/collections/port/documents');
    return arrayAt(documents.json, 'data').length === 0;
  });
  expect((await stage.ask('GET', path)).status).toBe(404);
  const metrics = await fetch(`${stage.server.url}/metrics`).then((answer) => answer.text());
  expect(metrics).toContain('rag_source');
});

test('files handed over are in when the answer comes', async () => {
  const made = await stage.ask('POST', '/v1/sources', { name: 'up', collection: 'up', settings: { kind: 'upload' } });
  const path = `/v1/sources/${String(made.json['id'])}`;
  const form = new FormData();
  form.append('file', new Blob(['The ferry leaves at ten.']), '../../ferry.md');
  const answer = await fetch(`${stage.server.url}${path}/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.server.adminKey}` },
    body: form,
  });
  expect(sourceRunSchema.parse(await answer.json())).toMatchObject({ changed: 1, complete: true });
  const documents = arrayAt((await stage.ask('GET', '/v1/collections/up/documents')).json, 'data').filter(isJsonObject);
  expect(documents.map(({ id }) => id)).toEqual([`${String(made.json['id'])}/ferry.md`]);
  expect((await stage.ask('PATCH', path, { settings: { kind: 'url', url: 'https://example.com/' } })).status).toBe(400);
});
