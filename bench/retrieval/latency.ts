import { mkdir } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import type { RetrieveTimings } from '../../src/rag/retrieve/retrieve.ts';
import { bulkCorpus, bulkQuestions } from './bulk.ts';
import { percentile } from './metrics.ts';
import { makeSearchable } from './searchable.ts';
import type { Searchable } from './searchable.ts';
import { bulkTexts, hasData } from './sets.ts';
import type { CorpusRow } from './sets.ts';

const TOP_K = 10;
const WARM_UP = 200;
const QUESTIONS = 1000;
const AT_ONCE = 8;
const SMALL_APPENDS = 50;
const STEPS: (keyof RetrieveTimings)[] = [
  'analyseMs',
  'embedMs',
  'lexicalMs',
  'denseMs',
  'fuseMs',
  'hydrateMs',
  'rerankMs',
];

interface Latency {
  p50Ms: number;
  p99Ms: number;
  perSecond: number;
  /** Of all threads of the process: what a query costs whatever else runs on the machine. */
  cpuMsPerQuery: number;
  stepsP50Ms: Record<string, number>;
}

/** `bun bench/retrieval/latency.ts [chunks...]`: prints a table, writes results/latency.json. */
async function main(): Promise<void> {
  if (!hasData()) {
    console.log('The evaluation data is not here; nothing to measure.');
    return;
  }
  const sizes = Bun.argv.slice(2).map(Number);
  const texts = await bulkTexts();
  const results: Record<string, unknown>[] = [];
  console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`);
  for (const chunks of sizes.length > 0 ? sizes : [10_000, 100_000]) {
    const searchable = await makeSearchable(`bulk-${chunks}`, bulkCorpus(texts, chunks, 1));
    const questions = bulkQuestions(texts, WARM_UP + 2 * QUESTIONS + 300, 2);
    await run(searchable, questions.slice(0, WARM_UP), 1);
    const rest = questions.slice(WARM_UP);
    const single = await run(searchable, rest.splice(0, QUESTIONS), 1);
    const together = await run(searchable, rest.splice(0, QUESTIONS), AT_ONCE);
    const recall = await denseRecall(searchable, questions.slice(0, 100), bulkCorpus(texts, chunks, 1));
    await appendOneByOne(searchable, texts);
    const appended = await run(searchable, rest, 1);
    await searchable.close();

    const indexSeconds = searchable.indexMs / 1000;
    const rssMegabytes = process.memoryUsage().rss / 1e6;
    const load = loadavg()[0] ?? 0;
    results.push({ load, chunks: searchable.chunks, indexSeconds, single, together, recall, appended, rssMegabytes });
    console.log(
      `\n${searchable.chunks} chunks, ingested in ${indexSeconds.toFixed(1)} s, RSS ${rssMegabytes.toFixed(0)} MB, load ${load.toFixed(1)}`,
    );
    console.log(`  one at a time     ${show(single)}`);
    console.log(`  ${AT_ONCE} at once         ${show(together)}`);
    console.log(`  after ${SMALL_APPENDS} appends  ${show(appended)}`);
    console.log(`  dense recall@10 against an exact scan: ${recall.toFixed(3)}`);
  }
  const folder = join(import.meta.dir, 'results');
  await mkdir(folder, { recursive: true });
  await Bun.write(join(folder, 'latency.json'), JSON.stringify(results, null, 1));
}

/** Asks every question, `atOnce` of them under way at any time. */
async function run(searchable: Searchable, questions: readonly string[], atOnce: number): Promise<Latency> {
  const search = searchable.retrieval();
  const totals: number[] = [];
  const steps = new Map<string, number[]>(STEPS.map((step) => [step, []]));
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let question = questions[next++]; question !== undefined; question = questions[next++]) {
      const { timings } = await search(question, TOP_K);
      totals.push(timings.totalMs);
      for (const step of STEPS) steps.get(step)?.push(timings[step]);
    }
  };
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  await Promise.all(Array.from({ length: atOnce }, worker));
  const cpu = process.cpuUsage(startedCpu);
  return {
    p50Ms: percentile(totals, 0.5),
    p99Ms: percentile(totals, 0.99),
    perSecond: questions.length / ((performance.now() - startedMs) / 1000),
    cpuMsPerQuery: (cpu.user + cpu.system) / 1000 / questions.length,
    stepsP50Ms: Object.fromEntries([...steps].map(([step, values]) => [step, percentile(values, 0.5)])),
  };
}

/** The share of the true ten nearest chunks that the dense leg returns among its first ten. Each row is one chunk. */
async function denseRecall(
  { index, ref, encoder }: Searchable,
  questions: readonly string[],
  corpus: Iterable<CorpusRow>,
): Promise<number> {
  const queries = questions.map((question) => encoder.encode(question));
  const best: { id: string; score: number }[][] = queries.map(() => []);
  for (const row of corpus) {
    const vector = encoder.encode(row.text);
    queries.forEach((query, q) => {
      let score = 0;
      for (let i = 0; i < query.length; i++) score += (query[i] ?? 0) * (vector[i] ?? 0);
      const list = best[q];
      if (list === undefined || (list.length === 10 && score <= (list[9]?.score ?? 0))) return;
      list.push({ id: row.id, score });
      list.sort((a, b) => b.score - a.score);
      list.length = Math.min(list.length, 10);
    });
  }
  let found = 0;
  for (const [q, query] of queries.entries()) {
    const ids = new Set(
      (await index.searchDense(ref, query, { limit: 100 })).slice(0, 10).map((hit) => hit.documentId),
    );
    found += best[q]?.filter(({ id }) => ids.has(id)).length ?? 0;
  }
  return found / (10 * queries.length);
}

/** Commits of one chunk each, as an application that saves notes makes them. */
async function appendOneByOne(searchable: Searchable, texts: readonly string[]): Promise<void> {
  for (const row of bulkCorpus(texts, SMALL_APPENDS, 3)) await searchable.add([{ ...row, id: `new-${row.id}` }]);
}

function show({ p50Ms, p99Ms, perSecond, cpuMsPerQuery, stepsP50Ms }: Latency): string {
  const steps = Object.entries(stepsP50Ms).map(([step, ms]) => `${step.replace('Ms', '')} ${ms.toFixed(1)}`);
  const figures = `p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms  ${perSecond.toFixed(0)}/s`;
  return `${figures}  CPU ${cpuMsPerQuery.toFixed(1)} ms  (${steps.join(', ')})`;
}

await main();
