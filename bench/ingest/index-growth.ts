/**
 * The index alone as it grows: what a commit, upkeep and both legs of a query cost at each size, without the texts
 * having to be cut and embedded a million times. Rows are those of ten thousand real chunks, each time with some
 * terms swapped and the vector turned a little.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import type { ChunkRow, IndexRef } from '../../src/ports/chunk-index.ts';
import { DEFAULT_TENANT } from '../../src/spec/ids.ts';
import { createLanceIndex } from '../../src/stores/lance/lance-index.ts';
import { randomNumbers } from '../../test/contract/chunk-index/random-numbers.ts';
import { bulkCorpus, bulkQuestions } from '../retrieval/bulk.ts';
import { bulkTexts, hasData } from '../retrieval/sets.ts';
import { bytesUnder } from './bytes-under.ts';
import { cpuMs, memoryMegabytes, peakMegabytes } from './process-figures.ts';

const PATTERNS = 10_000;
const COMMIT_ROWS = 2_048;
const SWAPPED_SHARE = 0.15;
const TURN = 0.04;
const WARM_UP = 200;
const QUESTIONS = 500;
const MODEL = join(import.meta.dir, '../../models/static-en-ja/model.bin');
const REF: IndexRef = { tenantId: DEFAULT_TENANT, collection: 'growth', version: 1 };

/** `bun bench/ingest/index-growth.ts [rows...]`: prints a table, writes results/index-growth.json. */
async function main(): Promise<void> {
  if (!hasData()) {
    console.log('The evaluation data is not here; nothing to measure.');
    return;
  }
  const asked = process.argv.slice(2).map(Number);
  const sizes = asked.length > 0 ? asked : [10_000, 100_000, 1_000_000];
  const encoder = createStaticEncoder(await Bun.file(MODEL).bytes());
  const { terms } = createTextAnalyser();
  const texts = await bulkTexts();
  const patterns = [...bulkCorpus(texts, PATTERNS, 1)].map(({ text }) => ({
    terms: terms(text),
    vector: encoder.encode(text),
  }));
  const questions = bulkQuestions(texts, sizes.length * (WARM_UP + QUESTIONS), 2);
  const random = randomNumbers(3);
  const pick = (): (typeof patterns)[number] =>
    patterns[Math.floor(random() * patterns.length)] ?? { terms: [], vector: new Float32Array() };

  function rowOf(number: number): ChunkRow {
    const pattern = pick();
    const other = pick();
    const words = pattern.terms.map((word, at) => (random() < SWAPPED_SHARE ? (other.terms[at] ?? word) : word));
    const ordinal = number % 10;
    const documentId = `d${Math.floor(number / 10)}`;
    return {
      chunkId: `${documentId}@000000000000#${ordinal}`,
      documentId,
      ordinal,
      start: ordinal * 700,
      end: ordinal * 700 + 700,
      headingPath: [`Section ${ordinal + 1}`],
      terms: words.join(' '),
      vector: pattern.vector.map((value) => value + (random() - 0.5) * TURN),
      tags: [`shelf=s${number % 20}`],
    };
  }

  const folder = mkdtempSync(join(tmpdir(), 'sekisho-bench-index-'));
  const index = createLanceIndex({ folder, log: (message, details) => console.error(message, details) });
  const table: object[] = [];
  let rows = 0;
  let seconds = 0;
  try {
    for (const size of sizes) {
      const from = { ms: performance.now(), cpu: cpuMs(process.pid), rows };
      while (rows < size) {
        const batch = Array.from({ length: Math.min(COMMIT_ROWS, size - rows) }, (_, i) => rowOf(rows + i));
        await index.replace(REF, [...new Set(batch.map(({ documentId }) => documentId))], batch, true);
        rows += batch.length;
      }
      seconds += (performance.now() - from.ms) / 1000;
      const filledMs = performance.now();
      await index.optimise(REF);
      const upkeepAtEndSeconds = Math.round((performance.now() - filledMs) / 1000);
      const cpu = cpuMs(process.pid) - from.cpu;
      const ask = async (asked: readonly string[]): Promise<number[]> => {
        const took: number[] = [];
        for (const question of asked) {
          const startedMs = performance.now();
          const vector = encoder.encode(question);
          await Promise.all([
            index.searchLexical(REF, terms(question), { limit: 100 }),
            index.searchDense(REF, vector, { limit: 100 }),
          ]);
          took.push(performance.now() - startedMs);
        }
        return took.toSorted((a, b) => a - b);
      };
      await ask(questions.splice(0, WARM_UP));
      const beforeCpu = cpuMs(process.pid);
      const took = await ask(questions.splice(0, QUESTIONS));
      const at = (share: number): number => Number((took[Math.ceil(took.length * share) - 1] ?? 0).toFixed(1));
      table.push({
        rows,
        seconds: Math.round(seconds),
        cpuMicrosPerRow: Math.round((cpu * 1000) / (rows - from.rows)),
        upkeepAtEndSeconds,
        peakMegabytes: peakMegabytes(process.pid),
        restMegabytes: memoryMegabytes(process.pid),
        diskMegabytes: Math.round(bytesUnder(folder) / 1e6),
        queryP50Ms: at(0.5),
        queryP99Ms: at(0.99),
        cpuMsPerQuery: Number(((cpuMs(process.pid) - beforeCpu) / QUESTIONS).toFixed(1)),
        load: Number((loadavg()[0] ?? 0).toFixed(1)),
      });
      console.log(JSON.stringify(table.at(-1)));
    }
  } finally {
    await index.close();
    rmSync(folder, { recursive: true, force: true });
  }
  console.table(table);
  const results = join(import.meta.dir, 'results');
  await mkdir(results, { recursive: true });
  await Bun.write(join(results, 'index-growth.json'), `${JSON.stringify(table, null, 1)}\n`);
}

await main();
