import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, parseJson, stringAt } from '../../src/lib/json.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

/** What the READMEs promise: without any model's key the handbook answers questions about Sekisho. */
let server: TestServer;
beforeAll(async () => {
  server = await startSekisho({ config: { discover: false, logging: { level: 'silent' } } });
}, 60_000);
afterAll(() => server.stop());

async function ask(query: string): Promise<{ answer: string; first: string | undefined }> {
  const response = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
    body: JSON.stringify({ collection: 'handbook', query }),
  });
  const body = parseJson(await response.text());
  if (!isJsonObject(body)) throw new Error(`no answer (${response.status})`);
  const [citation] = (arrayAt(body, 'citations') ?? []).filter(isJsonObject);
  return { answer: stringAt(body, 'answer') ?? '', first: citation && stringAt(citation, 'sentence') };
}

describe('the handbook answers, first of all with', () => {
  test.each([
    ['What does Sekisho do with a request?', 'it gives the request an id, authenticates its key'],
    ['関所とは何ですか？', '検問所です'],
    ['How do I start Sekisho?', 'npm start'],
    ['How do I start the server?', 'npm start'],
    ['サーバーを起動するには', 'npm start'],
    ['How do I back up?', 'stopping the server and copying the data folder'],
    ['バックアップの取り方を教えてください', 'サーバーを停止してデータフォルダーをコピー'],
    ['How do I rotate the master key?', 'by setting SEKISHO_MASTER_KEY'],
    ['マスターキーを変更するには？', 'SEKISHO_MASTER_KEY を新しい値に'],
    ['What does a 402 mean?', 'a budget is used up'],
    ['402 とはどういうエラーですか？', '予算を使い切った'],
    ['What is the name of the cost metric?', 'llm_cost_dollars_total'],
    ['What is the timeout between data?', '60 seconds'],
    ['How do I move from SQLite to Postgres?', 'does not move state from SQLite'],
    ['SQLite から Postgres に移行するには？', '状態を移す機能はありません'],
    ['セキショとは？', '検問所'],
    ['Sekisho とは何ですか？', '本番用バックエンド'],
    ['What is a wire?', 'A wire is the HTTP dialect'],
    ['ワイヤーとは何ですか？', '接続先が話す HTTP の形式'],
  ])('%s: %s', async (query, held) => {
    const { first, answer } = await ask(query);
    expect(first ?? answer).toContain(held);
  });

  test('commands stand with the answer', async () => {
    expect((await ask('How do I start the server?')).answer).toContain('```sh\nnpm ci\nnpm start\n```');
    expect((await ask('サーバーを起動するには')).answer).toContain('```sh\nnpm ci\nnpm start\n```');
  });
});

test.each([
  'What is the capital of France?',
  'How do I make a cake?',
  'Who is the president of the United States?',
  'フランスの首都はどこですか？',
  'ケーキを作るには？',
  '富士山の高さは何メートルですか？',
])('the handbook does not say: %s', async (query) => {
  const { answer, first } = await ask(query);
  expect(first).toBeUndefined();
  expect(answer).toMatch(/do not answer this question|見つかりませんでした/);
});
