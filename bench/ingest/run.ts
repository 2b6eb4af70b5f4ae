/**
 * Chunks per second from a body on the wire to a committed index: parse, chunk, tokenise, embed, store, index, in the
 * server as a user runs it, and what that does to a gateway call made meanwhile. Documents are made from word lists.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSekishoProcess } from '../../test/support/start-server.ts';
import { madeDocument } from './made-document.ts';
import { peakMegabytes, cpuMs } from './process-figures.ts';

const DOCUMENTS = Number(process.argv[2] ?? 10_000);
const CHUNKS_EACH = Number(process.argv[3] ?? 1);
const BATCH = Math.max(1, Math.round(500 / CHUNKS_EACH));
const PROBE_EVERY_MS = 10;
const IDLE_MS = 3_000;

interface Probes {
  stop: () => Promise<string>;
}

const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-bench-ingest-'));
const config = { discover: false, handbook: false, logging: { level: 'silent' as const } };
const server = await startSekishoProcess({ config, dataFolder });
const headers = { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` };

/** A small gateway call every few milliseconds, until stopped; then its latency. */
function probe(): Probes {
  const took: number[] = [];
  let isOn = true;
  const body = JSON.stringify({ model: 'static-en-ja', input: 'Where is the toll ledger kept?' });
  const asking = (async () => {
    while (isOn) {
      const startedMs = performance.now();
      await (await fetch(`${server.url}/v1/embeddings`, { method: 'POST', headers, body })).arrayBuffer();
      took.push(performance.now() - startedMs);
      await Bun.sleep(PROBE_EVERY_MS);
    }
  })();
  return {
    stop: async () => {
      isOn = false;
      await asking;
      const sorted = took.toSorted((a, b) => a - b);
      const at = (share: number): string => (sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1);
      return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (${sorted.length} calls)`;
    },
  };
}

console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, load ${loadavg()[0]?.toFixed(1)}`);
const idle = probe();
await Bun.sleep(IDLE_MS);
console.log(`a gateway call, idle:            ${await idle.stop()}`);

const bodies = Array.from({ length: Math.ceil(DOCUMENTS / BATCH) }, (_, page) => {
  const count = Math.min(BATCH, DOCUMENTS - page * BATCH);
  const documents = Array.from({ length: count }, (__, i) => madeDocument(page * BATCH + i, CHUNKS_EACH));
  return JSON.stringify({ collection_name: 'bench', documents });
});
const rows: object[] = [];
let chunks = 0;
const busy = probe();
const startedCpu = cpuMs(server.pid);
const startedMs = performance.now();
for (const [page, body] of bodies.entries()) {
  const response = await fetch(`${server.url}/v1/index`, { method: 'POST', headers, body });
  const told = (await response.json()) as { chunks: number; failed: unknown[] };
  if (!response.ok || told.failed.length > 0) throw new Error(JSON.stringify(told).slice(0, 500));
  chunks += told.chunks;
  if ((page + 1) % Math.ceil(bodies.length / 4) !== 0 && page + 1 < bodies.length) continue;
  const seconds = (performance.now() - startedMs) / 1000;
  rows.push({ chunks, seconds: seconds.toFixed(1), 'chunks/s': Math.round(chunks / seconds) });
}
const cpu = cpuMs(server.pid) - startedCpu;
console.log(`a gateway call, while ingesting: ${await busy.stop()}`);
console.table(rows);
console.log(`CPU per chunk: ${((cpu * 1000) / chunks).toFixed(0)} µs; most memory: ${peakMegabytes(server.pid)} MB`);
await server.stop();
rmSync(dataFolder, { recursive: true, force: true });
