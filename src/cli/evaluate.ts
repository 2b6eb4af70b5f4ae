import { readFileSync } from 'node:fs';
import { isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject, type JsonValue } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { followTask, taskProblem } from './follow-task.ts';
import type { ServerClient } from './server-client.ts';
import { withServer } from './with-server.ts';

const VERBS = { run: 'evaluations', tune: 'tune', draft: 'golden-set/draft' } as const;
const PAGE = 1_000;

/** `evaluate <collection>`: how well it finds what its golden set names; `--file` brings cases in first. */
export async function evaluateCommand(input: CommandInput): Promise<number> {
  const { terminal, options, words } = input;
  const [first = '', second] = words;
  const verb = first === 'tune' || first === 'draft' ? first : 'run';
  const collection = verb === 'run' ? first : second;
  if (collection === undefined || collection === '' || words.length > (verb === 'run' ? 1 : 2)) {
    terminal.warn('sekisho evaluate [tune | draft] COLLECTION [--file CASES.jsonl] [--k 10]');
    return 2;
  }
  const k = options.k === undefined ? undefined : Number(options.k);
  if (k !== undefined && !Number.isInteger(k)) {
    terminal.warn(`--k is a whole number, not "${options.k}".`);
    return 2;
  }
  const cases = options.file === undefined ? [] : casesIn(options.file);
  const base = `/v1/collections/${encodeURIComponent(collection)}`;
  return withServer(input, async (server) => {
    await bring(server, `${base}/golden-set`, cases);
    if (cases.length > 0) terminal.warn(`${cases.length} cases are in the golden set of ${collection}`);
    const begun = await server.json('POST', `${base}/${VERBS[verb]}`, k === undefined || verb === 'draft' ? {} : { k });
    const id = stringAt(begun, 'task_id') ?? '';
    const task = await followTask(server, id, (done, total) => terminal.progress(collection, done, total));
    const problem = taskProblem(task);
    if (problem !== undefined) {
      terminal.warn(problem);
      return 1;
    }
    const status = await server.json('GET', `/v1/task_status/${encodeURIComponent(id)}`);
    const result = objectAt(status, 'result') ?? {};
    if (verb === 'run') for (const line of tableOf(result)) terminal.print(line);
    else terminal.print(JSON.stringify(result, null, 2));
    return 0;
  });
}

/** One JSON object per line: question, relevant, and perhaps an id. */
function casesIn(path: string): JsonObject[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line, at): JsonObject[] => {
      if (line.trim() === '') return [];
      const json: JsonValue | undefined = parseJson(line);
      if (!isJsonObject(json)) throw new Error(`${path}, line ${at + 1}: this is no JSON object.`);
      return [json];
    });
}

async function bring(server: ServerClient, path: string, cases: readonly JsonObject[]): Promise<void> {
  for (let from = 0; from < cases.length; from += PAGE) {
    await server.json('POST', path, { cases: cases.slice(from, from + PAGE) });
  }
}

function tableOf(result: JsonObject): string[] {
  const k = numberAt(result, 'k') ?? 0;
  const names = { precision: `precision@${k}`, recall: `recall@${k}`, f1: `F1@${k}`, hit1: 'hit@1', hit: `hit@${k}` };
  const shown: Record<string, string> = { ...names, mrr: 'MRR', ndcg: `nDCG@${k}` };
  const differences = objectAt(objectAt(result, 'comparison') ?? {}, 'differences');
  const lines = Object.entries(shown).map(([name, label]) => {
    const value = (numberAt(objectAt(result, 'metrics') ?? {}, name) ?? 0).toFixed(4);
    const difference = objectAt(differences ?? {}, name);
    if (difference === undefined) return `${label.padEnd(14)} ${value}`;
    const of = (key: string): string => signed(numberAt(difference, key) ?? 0);
    return `${label.padEnd(14)} ${value}  ${of('mean')}  (95%: ${of('low')} to ${of('high')})`;
  });
  const before = differences === undefined ? '' : ', beside the difference to the run before';
  return [
    `${numberAt(result, 'cases') ?? 0} cases, index ${numberAt(result, 'index_version') ?? 0}${before}`,
    ...lines,
  ];
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
}
