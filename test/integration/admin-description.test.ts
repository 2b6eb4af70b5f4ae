import { afterAll, beforeAll, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, objectAt, type JsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';

let stage: AdminStage;
let paths: JsonObject;
beforeAll(async () => {
  stage = await startAdminStage();
  paths = objectAt((await stage.ask('GET', '/openapi.json')).json, 'paths') ?? {};
});
afterAll(() => stage.stop());

const operation = (method: string, path: string): JsonObject | undefined => {
  const item = paths[path];
  return isJsonObject(item) ? objectAt(item, method) : undefined;
};

test('every operation that is described exists, takes its method and has a name of its own', async () => {
  const names: unknown[] = [];
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, described] of Object.entries(isJsonObject(item) ? item : {})) {
      names.push(isJsonObject(described) && described['operationId']);
      const address = path.replaceAll(/\{\w+\}/g, 'nobody');
      // Bodies are judged after the address: an empty one says that somebody is there.
      const { status, text } = await stage.ask(method.toUpperCase(), address, method === 'get' ? undefined : {});
      expect([method, path, status === 405]).toEqual([method, path, false]);
      // Where the address names somebody, that somebody may be told not to exist.
      const isNobody = path.includes('{') && status === 404;
      expect([method, path, isNobody || !text.includes('There is nothing at')]).toEqual([method, path, true]);
    }
  }
  expect(new Set(names).size).toBe(names.length);
});

test('what administrators do is described, for each kind of setting', () => {
  for (const kind of ['providers', 'routes', 'targets', 'limits', 'prices']) {
    expect(operation('get', `/v1/${kind}`)).toBeDefined();
    expect(operation('put', `/v1/${kind}/{name}`)?.['requestBody']).toBeDefined();
    expect(operation('delete', `/v1/${kind}/{name}`)).toBeDefined();
  }
  expect(operation('post', '/v1/keys/{id}/rotate')).toBeDefined();
  expect(operation('patch', '/v1/keys/{id}')?.['requestBody']).toBeDefined();
});

test('calls that are paid name the header that keeps them from being paid twice, and others do not', () => {
  const takesKey = (method: string, path: string): boolean =>
    arrayAt(operation(method, path) ?? {}, 'parameters').some(
      (parameter) => isJsonObject(parameter) && parameter['name'] === 'Idempotency-Key',
    );
  expect(takesKey('post', '/v1/chat/completions')).toBe(true);
  expect(JSON.stringify(operation('post', '/v1/rerank'))).toContain('x-sekisho-idempotent-replay');
  expect(takesKey('post', '/v1/keys')).toBe(false);
  expect(takesKey('get', '/v1/usage')).toBe(false);
});
