/**
 * What a collection costs as it grows: time to index, memory, disk, and what a hybrid query takes, in the server as a
 * user runs it, over HTTP.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSekishoProcess } from '../../test/support/start-server.ts';
import { bulkCorpus, bulkQuestions } from '../retrieval/bulk.ts';
import { bulkTexts, hasData } from '../retrieval/sets.ts';
import { bytesUnder } from './bytes-under.ts';
import { cpuMs, memoryMegabytes, peakMegabytes } from './process-figures.ts';

const SECTIONS = 10;
const DOCUMENTS_PER_REQUEST = 50;
const REQUESTS_AT_ONCE = 2;
const WARM_UP = 200;
const QUESTIONS = 500;
/** The server counts as settled when it has used so little of a processor for so long; large tables rest longer. */
const QUIET = { share: 0.05, ms: 10_000, msPerChunk: 0.2, mostMs: 900_000 };

const COLLECTION = 'growth';
type Server = Awaited<ReturnType<typeof startSekishoProcess>>;

/** `bun bench/ingest/growth.ts [chunks...]`: prints a table, writes results/growth.json. */
async function main(): Promise<void> {
  if (!hasData()) {
    console.log('The evaluation data is not here; nothing to measure.');
    return;
  }
  const asked = process.argv.slice(2).map(Number);
  const sizes = asked.length > 0 ? asked : [10_000, 100_000];
  const texts = await bulkTexts();
  const questions = bulkQuestions(texts, sizes.length * (WARM_UP + QUESTIONS), 2);
  const dataFolder = mkdtempSync(join(tmpdir(), 'sekisho-bench-growth-'));
  const config = { discover: false, handbook: false, logging: { level: 'silent' as const } };
  const server = await startSekishoProcess({ config, dataFolder });
  console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, load ${loadavg()[0]?.toFixed(1)}`);
  const rows: object[] = [];
  try {
    const bodies = bodiesOf(texts, Math.max(...sizes));
    let chunks = 0;
    let spentSeconds = 0;
    for (const size of sizes) {
      const before = { chunks, cpu: cpuMs(server.pid), ms: performance.now() };
      chunks = await ingest(server, bodies, { have: chunks, want: size });
      const seconds = (performance.now() - before.ms) / 1000;
      spentSeconds += seconds;
      const settleSeconds = await settled(server.pid, QUIET.ms + chunks * QUIET.msPerChunk);
      const cpuPerChunk = ((cpuMs(server.pid) - before.cpu) * 1000) / (chunks - before.chunks);
      await ask(server, questions.splice(0, WARM_UP));
      const query = await ask(server, questions.splice(0, QUESTIONS));
      rows.push({
        chunks,
        seconds: Math.round(spentSeconds),
        chunksPerSecond: Math.round((chunks - before.chunks) / seconds),
        cpuMicrosPerChunk: Math.round(cpuPerChunk),
        settleSeconds: Math.round(settleSeconds),
        peakMegabytes: peakMegabytes(server.pid),
        restMegabytes: memoryMegabytes(server.pid),
        diskMegabytes: Math.round(bytesUnder(dataFolder) / 1e6),
        ...query,
        load: Number((loadavg()[0] ?? 0).toFixed(1)),
      });
      console.log(JSON.stringify(rows.at(-1)));
    }
  } finally {
    await server.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
  console.table(rows);
  const folder = join(import.meta.dir, 'results');
  await mkdir(folder, { recursive: true });
  await Bun.write(join(folder, 'growth.json'), `${JSON.stringify(rows, null, 1)}\n`);
}

/** Bodies of documents of ten sections each, every section about one chunk. */
function* bodiesOf(texts: readonly string[], mostChunks: number): Generator<string> {
  let documents: { id: string; title: string; content: string; metadata: object }[] = [];
  let sections: string[] = [];
  let number = 0;
  // A section may be cut in two or joined to the next: there must be enough of them.
  for (const { text } of bulkCorpus(texts, mostChunks * 2, 1)) {
    sections.push(`## Section ${sections.length + 1}\n\n${text}`);
    if (sections.length < SECTIONS) continue;
    const metadata = { shelf: `s${number % 20}` };
    documents.push({ id: `g${number}`, title: `Volume ${number}`, content: sections.join('\n\n'), metadata });
    number++;
    sections = [];
    if (documents.length < DOCUMENTS_PER_REQUEST) continue;
    yield JSON.stringify({ collection_name: COLLECTION, documents });
    documents = [];
  }
}

/** Sends bodies until there are so many chunks; gives how many there are. */
async function ingest(server: Server, bodies: Generator<string>, { have, want }: { have: number; want: number }) {
  let chunks = have;
  const sender = async (): Promise<void> => {
    while (chunks < want) {
      const { value: body } = bodies.next();
      if (body === undefined) return;
      const told = await post(server, '/v1/index', body);
      if (told.failed?.length !== 0) throw new Error(JSON.stringify(told).slice(0, 500));
      chunks += told.chunks ?? 0;
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, sender));
  return chunks;
}

/** Waits until work in the background has ended; gives how long that took, in seconds. */
async function settled(pid: number, untilQuietMs: number): Promise<number> {
  const startedMs = performance.now();
  for (let quietMs = performance.now(); performance.now() - startedMs < QUIET.mostMs;) {
    const [fromCpu, fromMs] = [cpuMs(pid), performance.now()];
    await Bun.sleep(500);
    if ((cpuMs(pid) - fromCpu) / (performance.now() - fromMs) > QUIET.share) quietMs = performance.now();
    if (performance.now() - quietMs > untilQuietMs) return (quietMs - startedMs) / 1000;
  }
  return QUIET.mostMs / 1000;
}

async function ask(server: Server, questions: readonly string[]) {
  const took: number[] = [];
  const fromCpu = cpuMs(server.pid);
  for (const query of questions) {
    const startedMs = performance.now();
    await post(server, '/v1/search', JSON.stringify({ collection: COLLECTION, query, top_k: 10 }));
    took.push(performance.now() - startedMs);
  }
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number): number => Number((sorted[Math.ceil(sorted.length * share) - 1] ?? 0).toFixed(1));
  const cpuMsPerQuery = Number(((cpuMs(server.pid) - fromCpu) / questions.length).toFixed(1));
  return { queryP50Ms: at(0.5), queryP99Ms: at(0.99), cpuMsPerQuery };
}

async function post(server: Server, path: string, body: string): Promise<{ chunks?: number; failed?: unknown[] }> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` };
  const response = await fetch(server.url + path, { method: 'POST', headers, body });
  const told = (await response.json()) as { chunks?: number; failed?: unknown[] };
  if (!response.ok) throw new Error(JSON.stringify(told).slice(0, 500));
  return told;
}

await main();
