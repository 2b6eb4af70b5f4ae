/**
 * Memory with many streams open at once: a thousand callers hold a stream each, half of them leave, the rest end.
 * Prints the server's resident memory at each stage and how many streams the upstream still had open at the end.
 * BUN_CONFIG_MAX_HTTP_REQUESTS=4096 bun bench/gateway-overhead/open-streams.ts [--streams 1000] [--side sekisho]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { residentMb } from './process-cost.ts';
import { SIDES } from './sides.ts';

const { values: options } = parseArgs({
  options: { streams: { type: 'string', default: '1000' }, side: { type: 'string', default: 'sekisho' } },
});
const STREAMS = Number(options.streams);
const HOLD_MS = 6_000;
let open = 0;

const upstream = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  fetch: (request) => {
    open++;
    let left = false;
    request.signal.addEventListener('abort', () => {
      if (!left) open--;
      left = true;
    });
    const event = (delta: object, finish: string | null): string =>
      `data: ${JSON.stringify({ id: 'x', model: 'bench-model', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    async function* events(): AsyncGenerator<string> {
      yield event({ content: 'hello' }, null);
      await Bun.sleep(HOLD_MS);
      yield `${event({}, 'stop')}data: [DONE]\n\n`;
      if (!left) open--;
      left = true;
    }
    return new Response(events(), { headers: { 'content-type': 'text/event-stream' } });
  },
});

const start = SIDES[options.side];
if (start === undefined) throw new Error(`There is no side "${options.side}".`);
const side = await start(`http://127.0.0.1:${upstream.port}`);
const body = JSON.stringify({ model: 'bench-model', stream: true, messages: [{ role: 'user', content: 'hello' }] });
const rows: { stage: string; 'memory MB': string; 'open upstream': number }[] = [];
const note = (stage: string): void =>
  void rows.push({ stage, 'memory MB': residentMb(side.pid).toFixed(0), 'open upstream': open });

note('before');
const leaving = new AbortController();
const streams: Promise<void>[] = [];
for (let i = 0; i < STREAMS; i++) {
  const init = {
    method: 'POST',
    headers: side.headersFor('plain'),
    body,
    ...(i % 2 === 0 && { signal: leaving.signal }),
  };
  const response = await fetch(`http://127.0.0.1:${side.port}${side.path}`, init);
  streams.push(
    response.text().then(
      () => undefined,
      () => undefined,
    ),
  );
  if (i % 250 === 249) await Bun.sleep(1);
}
note(`${STREAMS} streams open`);
leaving.abort();
await Bun.sleep(1_000);
note('half of them left');
await Promise.all(streams);
await Bun.sleep(500);
note('all ended');
console.table(rows);
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `open-streams-${side.name}-${new Date().toISOString().replaceAll(':', '-')}.json`);
writeFileSync(file, JSON.stringify({ setup: side.setup, streams: STREAMS, rows }, null, 2));
await side.stop();
await upstream.stop(true);
process.exit(0);
