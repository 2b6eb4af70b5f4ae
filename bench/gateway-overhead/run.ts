/**
 * The bench: every side in one run, alternating, in front of one upstream and under one load generator.
 * bun bench/gateway-overhead/run.ts [--rounds 5] [--sides bare,sekisho,portkey,litellm] [--scenarios plain,hit]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateLoad, quantile } from './generate-load.ts';
import type { LoadOrder } from './load.ts';
import { cpuMicros, residentMb } from './process-cost.ts';
import { bodyOf, SCENARIOS, type Scenario } from './scenarios.ts';
import type { Side } from './side.ts';
import { SIDES, startScript } from './sides.ts';
import { markdownOf, tableOf, type Round } from './table.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    sides: { type: 'string', default: Object.keys(SIDES).join(',') },
    scenarios: { type: 'string', default: SCENARIOS.map(({ name }) => name).join(',') },
    /** Part of the requests of each scenario; less than 1 shows only that everything runs. */
    scale: { type: 'string', default: '1' },
  },
});
const scale = Number(options.scale);
const scenarios = SCENARIOS.filter(({ name }) => options.scenarios.split(',').includes(name));

function orderOf(side: Side, scenario: Scenario, requests = scenario.requests): LoadOrder {
  return {
    port: side.port,
    path: side.path,
    headers: side.headersFor(scenario.kind),
    body: bodyOf(scenario, side.bodyFor?.(scenario.kind)),
    // One at a time takes little; quantiles want enough of them.
    requests: Math.max(
      scenario.concurrency * 2,
      Math.ceil(requests * (scenario.concurrency === 1 ? Math.max(side.share, 0.5) : side.share) * scale),
    ),
    concurrency: scenario.concurrency,
    maxMs: 60_000,
  };
}

async function measure(side: Side, scenario: Scenario, round: number): Promise<Round> {
  const before = cpuMicros(side.pid);
  const result = await generateLoad(orderOf(side, scenario));
  // Work that a server puts off until after the answer is part of the call.
  await Bun.sleep(50);
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

/** What a call costs upstream: a cache that does not hit or a fallback that tries again would measure something else. */
async function verify(side: Side, kind: Scenario['kind']): Promise<void> {
  const scenario = SCENARIOS.find((each) => each.kind === kind);
  if (scenario === undefined || (side.name === 'bare' && kind === 'cached')) return;
  const ask = async (): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${side.port}${side.path}`, {
      method: 'POST',
      headers: side.headersFor(kind),
      body: bodyOf(scenario, side.bodyFor?.(kind)),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${side.name}, ${kind}: ${response.status} ${text.slice(0, 500)}`);
  };
  const calls = async (): Promise<number> => Number(await (await fetch(origin)).text());
  await ask();
  const before = await calls();
  await ask();
  const made = (await calls()) - before;
  const expected = { plain: 1, cached: 0, fallback: 2 }[kind];
  if (made !== expected) throw new Error(`${side.name}, ${kind}: ${made} upstream calls in place of ${expected}`);
}

const upstream = await startScript('upstream.ts');
const origin = `http://127.0.0.1:${upstream.port}`;
const sides: Side[] = [{ ...upstream, name: 'direct', can: (kind) => kind === 'plain' }];
const rounds: Round[] = [];
try {
  for (const name of options.sides.split(',')) {
    const start = SIDES[name];
    if (start === undefined) throw new Error(`There is no side "${name}".`);
    sides.push(await start(origin));
    console.error(`${name} is ready`);
  }
  for (const side of sides) {
    for (const kind of new Set(scenarios.map((scenario) => scenario.kind))) {
      if (side.can(kind)) await verify(side, kind);
    }
    for (const scenario of scenarios.filter(({ kind, concurrency }) => side.can(kind) && concurrency > 1)) {
      await generateLoad(orderOf(side, scenario, scenario.requests / 4));
    }
  }
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const scenario of scenarios) {
      for (const side of sides) if (side.can(scenario.kind)) rounds.push(await measure(side, scenario, round));
    }
    console.error(`round ${round + 1} of ${options.rounds}`);
  }
} finally {
  await Promise.all(sides.map((side) => side.stop()));
}

const machine = { cpu: cpus()[0]?.model, cores: cpus().length, kernel: release(), bun: Bun.version };
const setups = Object.fromEntries(sides.map((side) => [side.name, side.setup]));
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${new Date().toISOString().replaceAll(':', '-')}.json`);
writeFileSync(file, JSON.stringify({ machine, setups, scale, scenarios, rounds }, null, 2));
for (const scenario of scenarios) {
  console.log(
    `\n${scenario.name} (${scenario.requests} requests, ${scenario.concurrency} at once, ${options.rounds} rounds)`,
  );
  console.table(tableOf(scenario, rounds));
}
console.log(`\n${markdownOf(scenarios, rounds)}\n\nRaw figures: ${file}`);
process.exit(0);
