/**
 * Memory with many streams open at once: a thousand callers hold a stream each, half of them leave, the rest end.
 * Prints the server's resident memory at each stage and how many streams the upstream still had open at the end.
 */
import { readFileSync } from 'node:fs';
import { startSekishoSide } from './sides.ts';

const STREAMS = Number(process.argv[2] ?? 1_000);
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

const side = await startSekishoSide(`http://127.0.0.1:${upstream.port}`);
const memoryMb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${side.pid}/status`, 'utf8'))?.[1]) / 1024;
const body = JSON.stringify({ model: 'bench-model', stream: true, messages: [{ role: 'user', content: 'hello' }] });
const rows: { stage: string; 'memory MB': string; 'open upstream': number }[] = [];
const note = (stage: string): void =>
  void rows.push({ stage, 'memory MB': memoryMb().toFixed(0), 'open upstream': open });

note('before');
const leaving = new AbortController();
const streams: Promise<void>[] = [];
for (let i = 0; i < STREAMS; i++) {
  const init = { method: 'POST', headers: side.headers, body, ...(i % 2 === 0 && { signal: leaving.signal }) };
  const response = await fetch(`http://127.0.0.1:${side.port}/v1/chat/completions`, init);
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
await side.stop();
await upstream.stop(true);
process.exit(0);
