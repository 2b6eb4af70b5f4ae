/**
 * The bench: every side in one run, alternating, in front of one upstream and under one load generator.
 * bun bench/gateway-overhead/run.ts [--rounds 7] [--sides bare,sekisho,portkey]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LoadOrder, LoadResult } from './load.ts';
import { cpuMicros, residentMb } from './process-cost.ts';
import { PORTKEY_VERSION, startBare, startPortkey, startScript, startSekishoSide, type Side } from './sides.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    sides: { type: 'string', default: 'bare,sekisho,portkey' },
  },
});

interface Scenario {
  name: 'plain' | 'stream' | 'plain-1' | 'stream-1';
  stream: boolean;
  requests: number;
  concurrency: number;
}

/** CPU at concurrency 16; latency one call at a time, where waiting in line does not hide the proxy. */
const SCENARIOS: Scenario[] = [
  { name: 'plain', stream: false, requests: 8000, concurrency: 16 },
  { name: 'stream', stream: true, requests: 320, concurrency: 16 },
  { name: 'plain-1', stream: false, requests: 400, concurrency: 1 },
  { name: 'stream-1', stream: true, requests: 20, concurrency: 1 },
];

interface Round {
  side: string;
  scenario: Scenario['name'];
  round: number;
  answered: number;
  failed: number;
  cpuMicrosPerRequest: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  firstByteP50Ms: number;
  firstByteP99Ms: number;
  residentMb: number;
}

const prompt = 'A traveller arrives at the gate with three companions, two horses and a letter of passage. '.repeat(6);

function order(side: Side, scenario: Scenario): LoadOrder {
  return {
    port: side.port,
    path: '/v1/chat/completions',
    headers: side.headers,
    body: JSON.stringify({
      model: 'bench-model',
      messages: [
        { role: 'system', content: 'You keep the gate. Answer in one sentence.' },
        { role: 'user', content: prompt },
      ],
      temperature: 0.2,
      ...(scenario.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    }),
    requests: scenario.requests,
    concurrency: scenario.concurrency,
    maxMs: 60_000,
  };
}

async function generate(wanted: LoadOrder): Promise<LoadResult> {
  const child = Bun.spawn([process.execPath, join(import.meta.dirname, 'load.ts'), JSON.stringify(wanted)], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const text = await new Response(child.stdout).text();
  await child.exited;
  return JSON.parse(text);
}

async function measure(side: Side, scenario: Scenario, round: number): Promise<Round> {
  const before = cpuMicros(side.pid);
  const result = await generate(order(side, scenario));
  const spent = cpuMicros(side.pid) - before;
  return {
    side: side.name,
    scenario: scenario.name,
    round,
    answered: result.answered,
    failed: result.failed,
    cpuMicrosPerRequest: result.failed > 0 ? Number.NaN : spent / result.answered,
    requestsPerSecond: (result.answered / result.elapsedMs) * 1000,
    p50Ms: quantile(result.latencyMs, 0.5),
    p99Ms: quantile(result.latencyMs, 0.99),
    firstByteP50Ms: quantile(result.firstByteMs, 0.5),
    firstByteP99Ms: quantile(result.firstByteMs, 0.99),
    residentMb: residentMb(side.pid),
  };
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function median(rounds: readonly Round[], pick: (round: Round) => number): number {
  return quantile(rounds.map(pick), 0.5);
}

const upstream = await startScript('upstream.ts');
const origin = `http://127.0.0.1:${upstream.port}`;
const sides: Side[] = [{ ...upstream, name: 'direct' }];
const wanted = new Set(options.sides.split(','));
if (wanted.has('bare')) sides.push(await startBare(origin));
if (wanted.has('sekisho')) sides.push(await startSekishoSide(origin));
if (wanted.has('portkey')) sides.push(await startPortkey(origin));

const rounds: Round[] = [];
try {
  for (const side of sides) {
    await generate({ ...order(side, { name: 'plain', stream: false, requests: 2000, concurrency: 16 }) });
    await generate({ ...order(side, { name: 'stream', stream: true, requests: 64, concurrency: 16 }) });
  }
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const scenario of SCENARIOS) {
      for (const side of sides) {
        rounds.push(await measure(side, scenario, round));
      }
    }
    console.error(`round ${round + 1} of ${options.rounds}`);
  }
} finally {
  await Promise.all(sides.map((side) => side.stop()));
}

const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  kernel: release(),
  bun: Bun.version,
  portkey: PORTKEY_VERSION,
};
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`);
writeFileSync(file, JSON.stringify({ machine, scenarios: SCENARIOS, rounds }, null, 2));

for (const scenario of SCENARIOS) {
  const bare = rounds.filter((round) => round.side === 'bare' && round.scenario === scenario.name);
  const direct = rounds.filter((round) => round.side === 'direct' && round.scenario === scenario.name);
  const bareCpu = median(bare, (round) => round.cpuMicrosPerRequest);
  console.log(
    `\n${scenario.name} (${scenario.requests} requests, ${scenario.concurrency} at once, median of ${options.rounds})`,
  );
  console.table(
    sides.map((side) => {
      const own = rounds.filter((round) => round.side === side.name && round.scenario === scenario.name);
      const cpu = median(own, (round) => round.cpuMicrosPerRequest);
      const added = median(own, (round) => round.firstByteP50Ms) - median(direct, (round) => round.firstByteP50Ms);
      return {
        side: side.name,
        'CPU µs/request': scenario.concurrency === 1 ? '' : Math.round(cpu),
        'x bare': side.name === 'direct' || scenario.concurrency === 1 ? '' : (cpu / bareCpu).toFixed(2),
        'p50 ms': median(own, (round) => round.p50Ms).toFixed(2),
        'p99 ms': median(own, (round) => round.p99Ms).toFixed(2),
        'first byte p50 ms': median(own, (round) => round.firstByteP50Ms).toFixed(2),
        'added first byte ms': added.toFixed(2),
        'requests/s': Math.round(median(own, (round) => round.requestsPerSecond)),
        'RSS MB': Math.round(median(own, (round) => round.residentMb)),
        failed: own.reduce((sum, round) => sum + round.failed, 0),
      };
    }),
  );
}
console.log(`\nRaw figures: ${file}`);
