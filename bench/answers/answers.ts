import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createStaticEncoder } from '../../src/nlp/embed/static-encoder.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import type { StaticTextEncoder } from '../../src/ports/text-analyser.ts';
import { createExtractiveProvider } from '../../src/providers/extractive/extractive-provider.ts';
import type { ChatResult, PassageInput } from '../../src/spec/chat.ts';
import { createBm25 } from './bm25.ts';

interface Paragraph {
  id: string;
  title: string;
  text: string;
}
interface Asked {
  text: string;
  relevant: string[];
  answers: string[];
}
interface Case {
  question: string;
  answers: string[];
  passages: PassageInput[];
}
interface Tally {
  asked: number;
  answered: number;
  first: number;
  any: number;
  sentences: number;
  ms: number[];
}

const ROOT = join(import.meta.dir, '../..');
const DATA = join(ROOT, '../shared/data/retrieval');
const SETS = [
  { name: 'JSQuAD', corpus: 'jsquad-valid.corpus.jsonl', queries: 'jsquad-valid.queries.jsonl', step: 4 },
  { name: 'JaQuAD', corpus: 'jaquad-train.corpus.jsonl', queries: 'jaquad-train.queries.jsonl', step: 4 },
  { name: 'XQuAD', corpus: 'xquad-en.corpus.jsonl', queries: 'xquad-en.queries.jsonl', step: 1 },
];
const PASSAGES = 5;

const analyser = createTextAnalyser();

function readLines<Row>(file: string): Row[] {
  return readFileSync(join(DATA, file), 'utf8')
    .trim()
    .split('\n')
    .map((line): Row => JSON.parse(line));
}

/** The questions of one set with their gold paragraph, with paragraphs of other articles, and with random ones. */
function casesOf(set: (typeof SETS)[number]): Record<'gold' | 'near' | 'random', Case[]> {
  const corpus = readLines<Paragraph>(set.corpus).map((one) => ({ ...one, title: one.title.replaceAll('_', ' ') }));
  const search = createBm25(corpus.map((one) => analyser.terms(`${one.title}\n${one.text}`)));
  const numberOf = new Map(corpus.map((one, number) => [one.id, number]));
  const cases: Record<'gold' | 'near' | 'random', Case[]> = { gold: [], near: [], random: [] };
  for (const [index, asked] of readLines<Asked>(set.queries).entries()) {
    // Weights were fitted on the even ones.
    if (index % set.step !== 0 || Math.floor(index / set.step) % 2 === 0) continue;
    const gold = numberOf.get(asked.relevant[0] ?? '') ?? 0;
    const found = search(analyser.terms(asked.text), 60);
    const other = (number: number): boolean => corpus[number]?.title !== corpus[gold]?.title;
    const best = found.slice(0, PASSAGES);
    if (!best.includes(gold)) best.splice(PASSAGES - 1, 1, gold);
    const random = [1, 2, 3, 4, 5].map((k) => (gold * 7 + index * 131 + k * 997 + 50) % corpus.length);
    const toCase = (numbers: number[]): Case => ({
      question: asked.text,
      answers: asked.answers.map(plain),
      passages: numbers.flatMap((number) => {
        const one = corpus[number];
        return one === undefined ? [] : [{ id: one.id, title: one.title, content: one.text }];
      }),
    });
    cases.gold.push(toCase(best));
    cases.near.push(toCase(found.filter(other).slice(0, PASSAGES)));
    cases.random.push(toCase(random.filter(other)));
  }
  return cases;
}

async function measure(cases: readonly Case[], encoder: StaticTextEncoder | undefined): Promise<Tally> {
  const provider = createExtractiveProvider({ analyser, ...(encoder === undefined ? {} : { encoder }) });
  const tally: Tally = { asked: 0, answered: 0, first: 0, any: 0, sentences: 0, ms: [] };
  for (const { question, answers, passages } of cases) {
    const messages = [{ role: 'user' as const, parts: [{ type: 'text' as const, text: question }] }];
    const startedMs = performance.now();
    const answer = await provider.chat?.({
      model: 'sentences',
      target: 'bench',
      signal: new AbortController().signal,
      request: () => ({ messages, passages }),
    });
    tally.ms.push(performance.now() - startedMs);
    const quoted = (answer?.result().citations ?? []).map(
      ({ sentence }: NonNullable<ChatResult['citations']>[number]) => plain(sentence),
    );
    const holds = (sentence: string): boolean => answers.some((text) => sentence.includes(text));
    tally.asked++;
    if (quoted.length > 0) tally.answered++;
    if (quoted.slice(0, 1).some(holds)) tally.first++;
    if (quoted.some(holds)) tally.any++;
    tally.sentences += quoted.length;
  }
  return tally;
}

function plain(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)}%`;
}

function readEncoder(): StaticTextEncoder | undefined {
  const file = join(ROOT, 'models/static-en-ja/model.bin');
  return existsSync(file) ? createStaticEncoder(readFileSync(file)) : undefined;
}

if (!existsSync(DATA)) {
  console.log('No evaluation data beside the repository (../shared/data/retrieval): nothing to measure.');
} else {
  const encoder = readEncoder();
  console.log(
    '| set | encoder | questions | answered | right, when answered | first sentence holds it | any holds it | ' +
      'sentences | answered: other articles | answered: random passages | p50 ms | p99 ms |',
  );
  console.log(`|${'---|'.repeat(12)}`);
  for (const set of SETS) {
    const cases = casesOf(set);
    for (const [label, used] of [
      ['words and meaning', encoder],
      ['words', undefined],
    ] as const) {
      if (label === 'words and meaning' && used === undefined) continue;
      const gold = await measure(cases.gold, used);
      const near = await measure(cases.near, used);
      const random = await measure(cases.random, used);
      const ms = gold.ms.toSorted((a, b) => a - b);
      const cells = [
        set.name,
        label,
        gold.asked,
        percent(gold.answered, gold.asked),
        percent(gold.any, gold.answered),
        percent(gold.first, gold.asked),
        percent(gold.any, gold.asked),
        (gold.sentences / Math.max(1, gold.answered)).toFixed(2),
        percent(near.answered, near.asked),
        percent(random.answered, random.asked),
        (ms[Math.floor(ms.length / 2)] ?? 0).toFixed(1),
        (ms[Math.floor(ms.length * 0.99)] ?? 0).toFixed(1),
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
}
