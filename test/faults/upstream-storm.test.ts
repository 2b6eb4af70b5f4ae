import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { isJsonObject, parseJson } from '../../src/lib/json.ts';
import type { Behaviour } from '../support/fake-provider/behaviour.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { eventually } from '../support/eventually.ts';
import { postRaw, type RawAnswer } from '../support/raw-caller.ts';
import { openLedger } from '../support/read-ledger.ts';
import { MODEL } from '../support/routing-stage.ts';
import { startSekishoProcess, type ServerProcess } from '../support/start-server.ts';

const CALLERS = 1_000;
const STATUSES = [429, 500, 503];

let stormy: FakeProvider;
let down: FakeProvider;
let server: ServerProcess;
beforeAll(async () => {
  stormy = await startFakeProvider();
  down = await startFakeProvider();
  const provider = ({ baseUrl }: FakeProvider) => ({
    wire: 'openai' as const,
    base_url: baseUrl,
    api_key: 'sk-upstream',
    models: [MODEL],
  });
  server = await startSekishoProcess({
    config: {
      discover: false,
      handbook: false,
      providers: { stormy: provider(stormy), down: provider(down) },
      breaker: { failure_share: 0.5, minimum_calls: 50, open_ms: 200 },
      logging: { level: 'error' },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await Promise.all([stormy.stop(), down.stop()]);
});

const ask = (provider: string): Promise<RawAnswer> =>
  postRaw(
    `${server.url}/v1/chat/completions`,
    { model: `${provider}/${MODEL}`, messages: [{ role: 'user', content: 'Is the gate open?' }] },
    { authorization: `Bearer ${server.adminKey}` },
  );
const crowd = (provider: string, callers: number): Promise<RawAnswer[]> =>
  Promise.all(Array.from({ length: callers }, () => ask(provider)));
const countOf = (answers: readonly RawAnswer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length;

describe('F14: the upstream answers 429, 500, 503 with Retry-After', () => {
  test('to 30% of a thousand callers: it sees at most a tenth more than they offer, and each is settled once', async () => {
    const fails = (index: number): Behaviour => {
      const status = STATUSES[index % STATUSES.length] ?? 500;
      return index % 10 < 3 ? { fail: { status, retryAfter: '1' } } : {};
    };
    stormy.script(...Array.from({ length: 2 * CALLERS }, (_, index) => fails(index)));
    const answers = await crowd('stormy', CALLERS);

    expect(stormy.requests.length).toBeLessThanOrEqual(1.1 * CALLERS);
    // The retries that the budget allows are used.
    expect(stormy.requests.length).toBeGreaterThan(1.05 * CALLERS);
    const answered = countOf(answers, 200);
    expect(answered).toBeGreaterThanOrEqual(0.7 * CALLERS);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.every(({ status }) => [429, 502].includes(status))).toBe(true);
    expect(refused.every(({ headers }) => Number(headers.get('retry-after')) >= 1)).toBe(true);

    const ledger = openLedger(server.dataFolder);
    const rows = await eventually('every call is settled', () => ledger.rows().length === CALLERS && ledger.rows());
    ledger.close();
    expect(new Set(rows.map((row) => row.request_id)).size).toBe(CALLERS);
    expect(rows.filter(({ outcome }) => outcome === 'ok')).toHaveLength(answered);
    expect(rows.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(stormy.requests.length);
  });

  test('to everyone: the breaker opens, one probe at a time goes through, and it closes when that is answered', async () => {
    down.onModel(MODEL, { fail: { status: 503, retryAfter: '1' } });
    await crowd('down', 100);
    const before = down.requests.length;
    const refused = await crowd('down', CALLERS);
    // A thousand callers take a while, so that a few probes may fall due; the offered load does not go through.
    const due = down.requests.length - before;
    expect(due).toBeLessThanOrEqual(10);
    expect(countOf(refused, 503)).toBeGreaterThanOrEqual(CALLERS - due);
    expect(refused.every(({ headers }) => Number(headers.get('retry-after')) >= 1)).toBe(true);

    down.onModel(MODEL, { stall: { at: 'before-headers' } });
    const probe = (async (): Promise<RawAnswer> => {
      for (;;) {
        const answer = await ask('down');
        if (answer.status === 200) return answer;
      }
    })();
    await down.stalled();
    const probes = down.requests.length;
    expect(countOf(await crowd('down', 200), 503)).toBe(200);
    expect(down.requests.length).toBe(probes);
    down.onModel(MODEL, {});
    down.release();
    expect(answerOf(await probe)).toBe('chat.completion');
    expect(countOf(await crowd('down', 200), 200)).toBe(200);
  });
});

function answerOf(answer: RawAnswer): unknown {
  const json = parseJson(answer.body);
  return isJsonObject(json) ? json['object'] : answer.body;
}
