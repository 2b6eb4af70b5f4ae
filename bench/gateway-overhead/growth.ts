/**
 * Does memory grow? A hundred thousand calls, of which no two are alike: other prompts, other end users, other keys
 * that do not exist, other models that do not exist. Resident memory every ten thousand.
 * bun bench/gateway-overhead/growth.ts [--requests 100000] [--side sekisho]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateLoad } from './generate-load.ts';
import { PLACEHOLDER, type LoadOrder } from './load.ts';
import { cpuMicros, residentMb } from './process-cost.ts';
import { MODELS } from './scenarios.ts';
import { SIDES, startScript } from './sides.ts';

const { values: options } = parseArgs({
  options: { requests: { type: 'string', default: '100000' }, side: { type: 'string', default: 'sekisho' } },
});
const STEPS = 10;
const perStep = Math.ceil(Number(options.requests) / STEPS);

const upstream = await startScript('upstream.ts');
const start = SIDES[options.side];
if (start === undefined) throw new Error(`There is no side "${options.side}".`);
const side = await start(`http://127.0.0.1:${upstream.port}`);

const body = (model: string): string =>
  JSON.stringify({
    model,
    messages: [{ role: 'user', content: `Traveller ${PLACEHOLDER} arrives at the gate. `.repeat(10) }],
    user: `traveller-${PLACEHOLDER}`,
  });
const own = side.headersFor('plain');

/** What the calls of a step are, as shares of it, and how each kind is answered. */
const KINDS: { share: number; status: number; headers: Record<string, string>; body: string }[] = [
  { share: 0.4, status: 200, headers: own, body: body(MODELS.plain) },
  { share: 0.2, status: 200, headers: own, body: body(MODELS.cached) },
  {
    share: 0.1,
    status: 200,
    headers: { ...own, 'idempotency-key': `bench-${PLACEHOLDER}`, 'x-sekisho-session': PLACEHOLDER },
    body: body(MODELS.plain),
  },
  {
    share: 0.15,
    status: 401,
    headers: { ...own, authorization: `Bearer sk-nobody-${PLACEHOLDER}` },
    body: body(MODELS.plain),
  },
  { share: 0.15, status: 404, headers: own, body: body(`model-${PLACEHOLDER}`) },
];

const rows: { calls: number; 'RSS MB': number; 'CPU µs/request': number; requestsPerSecond: number; failed: number }[] =
  [];
let calls = 0;
rows.push({ calls, 'RSS MB': Math.round(residentMb(side.pid)), 'CPU µs/request': 0, requestsPerSecond: 0, failed: 0 });
for (let step = 0; step < STEPS; step++) {
  const cpuBefore = cpuMicros(side.pid);
  const started = performance.now();
  let failed = 0;
  for (const kind of KINDS) {
    const requests = Math.round(perStep * kind.share);
    const order: LoadOrder = {
      port: side.port,
      path: side.path,
      headers: kind.headers,
      body: kind.body,
      requests,
      concurrency: 16,
      maxMs: 300_000,
      numberFrom: calls,
      status: kind.status,
    };
    const result = await generateLoad(order);
    failed += result.failed;
    calls += requests;
  }
  rows.push({
    calls,
    'RSS MB': Math.round(residentMb(side.pid)),
    'CPU µs/request': Math.round((cpuMicros(side.pid) - cpuBefore) / perStep),
    requestsPerSecond: Math.round((perStep / (performance.now() - started)) * 1_000),
    failed,
  });
}
console.table(rows);
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `growth-${side.name}-${new Date().toISOString().replaceAll(':', '-')}.json`);
writeFileSync(file, JSON.stringify({ setup: side.setup, rows }, null, 2));
console.log(`Raw figures: ${file}`);
await Promise.all([side.stop(), upstream.stop()]);
process.exit(0);
