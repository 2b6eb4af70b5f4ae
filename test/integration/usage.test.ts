import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { startStage, type Stage } from '../support/stage.ts';

let stage: Stage;
let member: string;
beforeAll(async () => {
  stage = await startStage();
  member = await stage.server.createKey({ name: 'app' });
  const ask = (key: string, model: string, user?: string) =>
    fetch(`${stage.server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20, user }),
    });
  for (const answer of [
    await ask(stage.server.adminKey, 'fast', '=cmd|calc'),
    await ask(stage.server.adminKey, 'fast'),
    await ask(stage.server.adminKey, 'backed'),
    await ask(member, 'fast', 'ann'),
  ]) {
    expect(answer.status).toBe(200);
    await answer.text();
  }
});
afterAll(() => stage.stop());

const get = (path: string, key = stage.server.adminKey) =>
  fetch(`${stage.server.url}${path}`, { headers: { authorization: `Bearer ${key}` } });

interface Report {
  groups: { group: string; by: Record<string, string>; requests: number; cost_usd: string; cost_micros: number }[];
}
const report = async (query: string, key?: string) => (await (await get(`/v1/usage${query}`, key)).json()) as Report;

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byName = ([a]: readonly [string, number], [b]: readonly [string, number]): number => compare(a, b);

describe('the report of usage', () => {
  test('an administrator sees the tenant, by any group', async () => {
    const { groups } = await report('?by=route');
    expect(groups.map(({ group, requests }) => [group, requests] as const).sort(byName)).toEqual([
      ['backed', 1],
      ['fast', 3],
    ]);
    for (const by of ['tenant', 'team', 'key', 'user', 'target', 'model', 'day']) {
      const sum = (await report(`?by=${by}`)).groups.reduce((total, { requests }) => total + requests, 0);
      expect([by, sum]).toEqual([by, 4]);
    }
  });

  test('money stands in micro-dollars and in dollars, and is that of the ledger', async () => {
    const [row] = (await report('?by=tenant')).groups;
    const spent = stage.ledger.rows().reduce((total, { cost_micros }) => total + (cost_micros ?? 0), 0);
    expect(spent).toBeGreaterThan(0);
    expect(row).toMatchObject({ cost_micros: spent, cost_usd: (spent / 1_000_000).toFixed(6) });
  });

  test('two groups at once', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const { groups } = await report('?by=day,route');
    expect(groups.map(({ by }) => by['route'] ?? '').sort(compare)).toEqual(['backed', 'fast']);
    for (const { by } of groups)
      expect(Math.abs(Date.parse(by['day'] ?? '') - Date.parse(today))).toBeLessThan(86_400_001);
  });

  test('a member sees its own key only', async () => {
    const { groups } = await report('?by=user', member);
    expect(groups.map(({ group, requests }) => [group, requests])).toEqual([['ann', 1]]);
  });

  test('what cannot be asked is a 400 that says why', async () => {
    for (const query of [
      '?by=secret',
      '?by=day,route,key',
      '?by=route,route',
      '?from=yesterday',
      '?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z',
      '?by=at_ms%20--',
    ]) {
      const refused = await get(`/v1/usage${query}`);
      expect([query, refused.status]).toEqual([query, 400]);
    }
    expect((await get('/v1/usage/export?format=xml')).status).toBe(400);
    expect((await fetch(`${stage.server.url}/v1/usage/export`)).status).toBe(401);
  });
});

describe('the export of the ledger', () => {
  test('as CSV, with a file name, safe for a spreadsheet', async () => {
    const answer = await get('/v1/usage/export');
    expect(answer.headers.get('content-type')).toStartWith('text/csv');
    expect(answer.headers.get('content-disposition')).toMatch(/^attachment; filename="sekisho-usage-[\d-]+\.csv"$/);
    const lines = (await answer.text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toContain('cost_micros,cost_usd');
    expect(lines.filter((line) => line.includes(`"'=cmd|calc"`))).toHaveLength(1);
  });

  test('as JSON lines and as JSON: the same entries', async () => {
    const lines = (await (await get('/v1/usage/export?format=jsonl')).text()).trimEnd().split('\n');
    const whole = (await (await get('/v1/usage/export?format=json')).json()) as {
      route: string;
      user: string | null;
    }[];
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(whole);
    // Calls of one millisecond have no order among them.
    expect(whole.map(({ route, user }) => `${route} ${user ?? '-'}`).sort(compare)).toEqual([
      'backed -',
      'fast -',
      'fast =cmd|calc',
      'fast ann',
    ]);
  });

  test('of a member, its own key only; of a period, its entries only', async () => {
    const own = (await (await get('/v1/usage/export?format=json', member)).json()) as { user: string }[];
    expect(own.map(({ user }) => user)).toEqual(['ann']);
    const past = await get('/v1/usage/export?format=json&from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z');
    expect(await past.json()).toEqual([]);
  });
});
