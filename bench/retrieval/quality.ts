import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { figuresOf, meanOf } from './metrics.ts';
import type { Figures } from './metrics.ts';
import { makeSearchable } from './searchable.ts';
import type { Searchable, TriedRequest } from './searchable.ts';
import { crossLingualSet, hasData, retrievalSets } from './sets.ts';
import type { RetrievalSet } from './sets.ts';

const DEPTH = 100;
/** The parts of the product, and last the product as it is where nothing is chosen. */
const SYSTEMS: [name: string, tried: TriedRequest][] = [
  ['BM25', { mode: 'lexical', rerank: 'off' }],
  ['dense', { mode: 'dense', rerank: 'off' }],
  ['hybrid', { rerank: 'off' }],
  ['product', {}],
];

interface Row {
  set: string;
  system: string;
  questions: number;
  figures: Figures;
}

/** Prints the quality table and writes results/quality.json. */
async function main(): Promise<void> {
  if (!hasData()) {
    console.log('The evaluation data is not here; nothing to measure.');
    return;
  }
  const rows: Row[] = [];
  const wanted = Bun.argv.slice(2);
  for (const set of [...(await retrievalSets()), await crossLingualSet()]) {
    if (wanted.length === 0 || wanted.includes(set.name)) rows.push(...(await measure(set)));
  }
  const results = join(import.meta.dir, 'results');
  await mkdir(results, { recursive: true });
  await Bun.write(join(results, 'quality.json'), JSON.stringify(rows, null, 1));

  console.log('| set | system | hit@1 | hit@10 | MRR | nDCG@10 | recall@10 |\n|---|---|---|---|---|---|---|');
  for (const { set, system, figures } of rows) {
    const cells = [figures.hit1, figures.hit10, figures.mrr, figures.ndcg10, figures.recall10].map((value) =>
      value.toFixed(4),
    );
    console.log(`| ${set} | ${system} | ${cells.join(' | ')} |`);
  }
}

async function measure(set: RetrievalSet): Promise<Row[]> {
  const searchable: Searchable = await makeSearchable(set.name, set.corpus);
  const rows: Row[] = [];
  for (const [system, tried] of SYSTEMS) {
    const search = searchable.retrieval(tried);
    const figures: Figures[] = [];
    for (const question of set.questions) {
      const { hits } = await search(question.text, DEPTH);
      figures.push(
        figuresOf(
          hits.map((hit) => hit.documentId),
          question.relevant,
        ),
      );
    }
    rows.push({ set: set.name, system, questions: set.questions.length, figures: meanOf(figures) });
  }
  await searchable.close();
  return rows;
}

await main();
