import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Behaviour } from '../support/fake-provider/behaviour.ts';
import { eventually } from '../support/eventually.ts';
import { readStream } from '../support/read-stream.ts';
import { errorCode, MODEL, REFUSED, startRoutingStage, TOO_LONG, type RoutingStage } from '../support/routing-stage.ts';

const [ONE, TWO, THREE] = [`one/${MODEL}`, `two/${MODEL}`, `three/${MODEL}`];
const OPEN_MS = 150;
const HASTY_MS = 120;

let stage: RoutingStage;
beforeAll(async () => {
  stage = await startRoutingStage(({ one, two }) => ({
    breaker: { minimum_calls: 4, failure_share: 0.5, open_ms: OPEN_MS },
    providers: {
      hasty: {
        wire: 'openai',
        base_url: `${one}/v1`,
        models: [MODEL],
        timeouts: { connect_ms: HASTY_MS, first_byte_ms: HASTY_MS, between_data_ms: HASTY_MS },
      },
      nowhere: { wire: 'openai', base_url: 'http://127.0.0.1:1/v1', models: [MODEL] },
      pool: { wire: 'openai', base_url: 'http://pool.invalid/v1', models: [MODEL], endpoints: { list: [one, two] } },
      lame: {
        wire: 'openai',
        base_url: 'http://pool.invalid/v1',
        models: [MODEL],
        endpoints: { list: ['http://127.0.0.1:1', two] },
      },
    },
    routes: {
      plain: [ONE],
      backed: [ONE, TWO],
      hasty: [`hasty/${MODEL}`, TWO],
      nowhere: [`nowhere/${MODEL}`, TWO],
      picky: { targets: [ONE, TWO], fallback_on: ['rate_limited', 'context_window'] },
      windows: [ONE, THREE],
      weighted: {
        groups: [
          {
            strategy: 'weighted',
            targets: [
              { target: ONE, weight: 3 },
              { target: TWO, weight: 1 },
            ],
          },
        ],
      },
      busy: { groups: [{ strategy: 'least-busy', targets: [ONE, TWO] }] },
      quick: { groups: [{ strategy: 'latency', targets: [ONE, TWO] }] },
      session: { groups: [{ strategy: 'sticky', sticky_by: 'session', targets: [ONE, TWO, THREE] }] },
      tiers: {
        groups: [
          { when: { tags: ['tier=gold'] }, targets: [ONE] },
          { when: { min_input_tokens: 500 }, targets: [TWO] },
          { when: { tags: ['tier=*'] }, targets: [THREE] },
        ],
      },
      'gpt-*': ['two/*'],
      'gpt-4*': ['three/*'],
      hedged: { targets: [ONE, TWO], hedge: { after_ms: 30, max_share: 1 } },
      pool: [`pool/${MODEL}`],
      lame: { targets: [`lame/${MODEL}`], retry: { attempts: 2 } },
    },
  }));
});
afterAll(() => stage.stop());
beforeEach(() => stage.reset());

const targetOf = (response: Response): string | null => response.headers.get('x-sekisho-target');

describe('fallback by reason', () => {
  const reasons: [string, Behaviour][] = [
    ['rate_limited', { fail: { status: 429, retryAfter: '60' } }],
    ['server_error', { fail: { status: 500 } }],
    ['broken_answer', { body: '<html>' }],
    ['credential', { fail: { status: 401 } }],
    ['not_found', { fail: { status: 404 } }],
    ['context_window', { fail: { status: 400, body: TOO_LONG } }],
    ['content_policy', { fail: { status: 400, body: REFUSED } }],
    ['unreachable', { break: { at: 'before-headers', how: 'reset' } }],
  ];
  test.each(reasons)('%s goes to the next target; the caller sees one answer', async (_, behaviour) => {
    stage.one.onModel(MODEL, behaviour);
    const response = await stage.ask('backed');
    expect(response.status).toBe(200);
    expect(targetOf(response)).toBe(TWO);
    const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({ outcome: 'ok', target: TWO, attempts: 2 });
  });

  test('timeout goes to the next target', async () => {
    stage.one.onModel(MODEL, { stall: { at: 'before-headers' } });
    expect(targetOf(await stage.ask('hasty'))).toBe(TWO);
    stage.one.release();
  });

  test('a target where nobody listens goes to the next', async () => {
    expect(targetOf(await stage.ask('nowhere'))).toBe(TWO);
  });

  test.each(reasons)('%s ends the call where the route does not name it', async (reason, behaviour) => {
    stage.one.onModel(MODEL, behaviour);
    const response = await stage.ask('picky');
    const named = reason === 'rate_limited' || reason === 'context_window';
    expect(response.ok).toBe(named);
    expect(stage.seen()).toEqual([1, named ? 1 : 0, 0]);
  });

  test('a prompt that no window holds is a 400 to the caller', async () => {
    stage.one.onModel(MODEL, { fail: { status: 400, body: TOO_LONG } });
    stage.three.onModel(MODEL, { fail: { status: 400, body: TOO_LONG } });
    const response = await stage.ask('windows');
    expect(response.status).toBe(400);
    expect(stage.seen()).toEqual([1, 0, 1]);
  });

  test('a refused content stays a 400 where everyone refuses it', async () => {
    stage.one.onModel(MODEL, { fail: { status: 400, body: REFUSED } });
    const response = await stage.ask('plain');
    expect([response.status, stage.seen()[0]]).toEqual([400, 1]);
  });
});

describe('the breaker', () => {
  const fail = async (times: number): Promise<void> => {
    stage.one.onModel(MODEL, { fail: { status: 500 } });
    for (let each = 0; each < times; each++) await stage.ask('plain');
  };

  test('opens, refuses fast with a Retry-After, lets one probe through, and closes when that is answered', async () => {
    await fail(4);
    const refused = await stage.ask('plain');
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await errorCode(refused)).toBe('no_healthy_target');
    expect(stage.seen()[0]).toBe(4);
    expect((await stage.health()).get(ONE)).toMatchObject({
      state: 'open',
      failure_share: 1,
      last_error: 'upstream_failed',
    });

    stage.one.onModel(MODEL, { stall: { at: 'before-headers' } });
    const probe = (async () => {
      for (;;) {
        const response = await stage.ask('plain');
        if (response.status !== 503) return response;
      }
    })();
    await stage.one.stalled();
    expect((await stage.health()).get(ONE)).toMatchObject({ state: 'half-open', in_flight: 1 });
    const others = await Promise.all(Array.from({ length: 20 }, () => stage.ask('plain')));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 503));
    expect(stage.seen()[0]).toBe(5);
    stage.one.release();
    expect((await probe).status).toBe(200);
    stage.one.onModel(MODEL, {});
    expect((await stage.ask('plain')).status).toBe(200);
    expect((await stage.health()).get(ONE)).toMatchObject({ state: 'closed', failure_share: 0 });
  });

  test('leaves the next target in place while it is open', async () => {
    await fail(4);
    const calls = stage.one.requests.length;
    expect(targetOf(await stage.ask('backed'))).toBe(TWO);
    expect(stage.one.requests.length).toBe(calls);
  });

  test('is not moved by what callers do wrong', async () => {
    stage.one.onModel(MODEL, { fail: { status: 422 } });
    for (let each = 0; each < 8; each++) await stage.ask('plain');
    stage.one.onModel(MODEL, {});
    expect((await stage.ask('plain')).status).toBe(200);
  });
});

test('a target that asked to be left alone is left alone while another one is well', async () => {
  stage.one.script({ fail: { status: 429, retryAfter: '60' } });
  expect(targetOf(await stage.ask('backed'))).toBe(TWO);
  expect(targetOf(await stage.ask('backed'))).toBe(TWO);
  expect(stage.seen()).toEqual([1, 2, 0]);
  // With nothing else left it is asked all the same.
  expect((await stage.ask('plain')).status).toBe(200);
});

describe('strategies', () => {
  const shares = async (route: string, calls: number): Promise<number[]> => {
    await Promise.all(Array.from({ length: calls }, () => stage.ask(route).then((response) => response.text())));
    return stage.seen().map((count) => count / calls);
  };

  test('weighted: shares follow the weights', async () => {
    const [first = 0, second = 0] = await shares('weighted', 200);
    expect(first).toBeGreaterThan(0.6);
    expect(second).toBeGreaterThan(0.1);
  });

  test('least-busy: while one target stands still every other call goes to the other', async () => {
    stage.one.onModel(MODEL, { stall: { at: 'before-headers' } });
    stage.two.onModel(MODEL, { stall: { at: 'before-headers' } });
    const asked = Array.from({ length: 6 }, () => stage.ask('busy'));
    await eventually('all are asked', () => stage.seen()[0] + stage.seen()[1] === 6);
    expect(stage.seen()).toEqual([3, 3, 0]);
    stage.one.release();
    stage.two.release();
    await Promise.all(asked);
  });

  test('latency: a target that fails loses its calls to the one that does not', async () => {
    stage.one.onModel(MODEL, { fail: { status: 500 } });
    for (let each = 0; each < 30; each++) expect((await stage.ask('quick')).status).toBe(200);
    expect(stage.seen()[0]).toBeLessThan(10);
  });

  test('sticky: a session stays on its target, and sessions spread', async () => {
    const home = new Map<string, Set<string | null>>();
    for (let session = 0; session < 12; session++) {
      const targets = new Set<string | null>();
      for (let each = 0; each < 3; each++) {
        targets.add(targetOf(await stage.ask('session', { headers: { 'x-sekisho-session': `s${session}` } })));
      }
      home.set(`s${session}`, targets);
    }
    expect([...home.values()].map(({ size }) => size)).toEqual(Array.from({ length: 12 }, () => 1));
    expect(new Set([...home.values()].flatMap((targets) => [...targets])).size).toBeGreaterThan(1);
  });
});

describe('conditions and names', () => {
  test('tags and size choose the group', async () => {
    const tagged = (tags: string) => stage.ask('tiers', { headers: { 'x-sekisho-tags': tags } });
    expect(targetOf(await tagged('tier=gold'))).toBe(ONE);
    expect(targetOf(await tagged('tier=silver, team=a'))).toBe(THREE);
    const long = { messages: [{ role: 'user', content: 'gate '.repeat(2_000) }] };
    expect(targetOf(await stage.ask('tiers', { body: long }))).toBe(TWO);
  });

  test('a call that no group takes is a 400 that says so', async () => {
    const response = await stage.ask('tiers');
    expect(response.status).toBe(400);
    expect(await errorCode(response)).toBe('route_conditions_unmet');
  });

  test('a pattern takes what no route names, the longest first, and hands the name on', async () => {
    expect(targetOf(await stage.ask('gpt-4.1-nano'))).toBe('three/gpt-4.1-nano');
    expect(targetOf(await stage.ask('gpt-3.5'))).toBe('two/gpt-3.5');
    expect(stage.two.requests[0]?.json['model']).toBe('gpt-3.5');
  });
});

describe('hedging', () => {
  test.each(['plain', 'streamed'] as const)(
    'a slow first target loses to the second, %s; the abort reaches it',
    async (kind) => {
      stage.one.onModel(MODEL, { stall: { at: 'before-headers' } });
      const response = await stage.ask('hedged', kind === 'streamed' ? { body: { stream: true } } : {});
      const seen = await readStream(response);
      expect(targetOf(response)).toBe(TWO);
      expect(seen.text).toContain('関所');
      await stage.one.requests[0]?.aborted;
      expect(stage.one.aborts).toBe(1);
      const row = await stage.ledger.settled(response.headers.get('x-sekisho-request-id'));
      expect(row).toMatchObject({ outcome: 'ok', target: TWO, attempts: 2 });
      await eventually('no place is held', async () =>
        [...(await stage.health()).values()].every((report) => report['in_flight'] === 0),
      );
    },
  );
});

describe('fleets', () => {
  test('every place of a fleet is asked', async () => {
    for (let each = 0; each < 20; each++) expect((await stage.ask('pool')).status).toBe(200);
    const [first, second] = stage.seen();
    expect(first).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(0);
    expect([...(await stage.health()).keys()].filter((key) => key.startsWith('pool/'))).toHaveLength(2);
  });

  test('a place where nobody listens costs no caller its answer, and is left out soon', async () => {
    for (let each = 0; each < 10; each++) expect((await stage.ask('lame')).status).toBe(200);
    expect(stage.seen()).toEqual([0, 10, 0]);
  });
});
