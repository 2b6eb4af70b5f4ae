import { afterAll, beforeAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { createKeys, type Keys } from '../../src/access/keys.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { toSekishoError } from '../../src/spec/errors.ts';
import { createSqliteDatabase } from '../../src/stores/sqlite/sqlite-database.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
});
afterAll(() => stage.stop());

/** What src/access/keys.ts states: elsewhere a key ends within a second; here at once. */
const STATED_LAG_MS = 1_000;
/** For the way of an answer through a busy machine. */
const SLACK_MS = 300;
const RATE = 500;
const LENGTH_MS = 2_000;
const KEYS = 20;

/** One secret of one key: when it began to hold and when it ended, by the answers of the administration. */
interface Term {
  secret: string;
  fromMs: number;
  endMs: number | undefined;
}

test('fault 11: at 500 requests a second nothing ends later than stated, and no valid key is refused', async () => {
  const database = createSqliteDatabase({ path: join(stage.server.dataFolder, 'sekisho.db') });
  // A second replica: the same database, a memory of its own.
  const replica = createKeys({ database, clock: systemClock });
  const terms: Term[] = [];
  const current: { id: string; term: Term }[] = [];
  const make = async (): Promise<{ id: string; term: Term }> => {
    const { json } = await stage.ask('POST', '/v1/keys', { name: 'turning' });
    const term: Term = { secret: String(json['key']), fromMs: performance.now(), endMs: undefined };
    terms.push(term);
    return { id: String(json['id']), term };
  };
  for (let at = 0; at < KEYS; at++) current.push(await make());

  const faults = { late: [] as string[], refused: [] as string[] };
  let asked = 0;
  let accepted = 0;
  const judge = (where: string, term: Term, fromMs: number, valid: boolean, lagMs: number): void => {
    const nowMs = performance.now();
    asked++;
    if (valid) accepted++;
    if (valid && term.endMs !== undefined && fromMs > term.endMs + lagMs) {
      faults.late.push(`${where} ${Math.round(fromMs - term.endMs)} ms`);
    }
    if (!valid && (term.endMs === undefined || nowMs < term.endMs) && !turning.has(term)) {
      faults.refused.push(where);
    }
  };
  /** Terms that are being ended right now: they may be either. */
  const turning = new Set<Term>();
  const ask = async (term: Term): Promise<void> => {
    const fromMs = performance.now();
    const response = await fetch(`${stage.server.url}/v1/models`, {
      headers: { authorization: `Bearer ${term.secret}` },
    });
    await response.arrayBuffer();
    judge('here', term, fromMs, response.status === 200, SLACK_MS);
  };
  const askReplica = async (term: Term): Promise<void> => {
    const fromMs = performance.now();
    const valid = await holds(replica, term.secret);
    judge('replica', term, fromMs, valid, STATED_LAG_MS + SLACK_MS);
  };

  const began = performance.now();
  const turn = async (): Promise<void> => {
    for (let at = 0; performance.now() - began < LENGTH_MS; at = (at + 1) % KEYS) {
      const one = current[at];
      if (one === undefined) return;
      turning.add(one.term);
      if (at % 3 === 0) {
        await stage.ask('DELETE', `/v1/keys/${one.id}`);
        one.term.endMs = performance.now();
        current[at] = await make();
      } else {
        const { json } = await stage.ask('POST', `/v1/keys/${one.id}/rotate`);
        one.term.endMs = performance.now();
        const term: Term = { secret: String(json['key']), fromMs: performance.now(), endMs: undefined };
        terms.push(term);
        current[at] = { id: one.id, term };
      }
      turning.delete(one.term);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const load = async (): Promise<void> => {
    const open: Promise<void>[] = [];
    for (let sent = 0; performance.now() - began < LENGTH_MS;) {
      for (const due = ((performance.now() - began) / 1_000) * RATE; sent < due; sent++) {
        const term = sent % 2 === 0 ? current[sent % KEYS]?.term : terms[(sent * 7) % terms.length];
        if (term !== undefined) open.push(ask(term), askReplica(term));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all(open);
  };
  await Promise.all([turn(), load()]);

  expect(faults).toEqual({ late: [], refused: [] });
  expect(asked).toBeGreaterThan(RATE);
  expect(accepted).toBeGreaterThan(RATE / 4);
  const ended = terms.filter(({ endMs }) => endMs !== undefined);
  expect(ended.length).toBeGreaterThan(20);
  // In the end every one that ended is refused here, and every other is taken.
  for (const term of terms) {
    const headers = { authorization: `Bearer ${term.secret}` };
    const { status } = await fetch(`${stage.server.url}/v1/models`, { headers });
    expect(status).toBe(term.endMs === undefined ? 200 : 401);
  }
  await database.close();
}, 20_000);

async function holds(keys: Keys, secret: string): Promise<boolean> {
  return keys.authenticate(secret).then(
    () => true,
    (thrown: unknown) => {
      if (toSekishoError(thrown).code === 'invalid_key') return false;
      throw thrown;
    },
  );
}
