import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import type { ServerClient } from './server-client.ts';
import { visibleField } from './terminal.ts';
import { withServer } from './with-server.ts';

const POLL_MS = 500;

/**
 * `sources list|add|change|run|runs|remove`: where documents come from. What is added is JSON or YAML, given as a
 * word or with `--file`. `run` waits for the end of the run; exit code 1 where something of it failed.
 */
export async function sourcesCommand(input: CommandInput): Promise<number> {
  const { terminal } = input;
  const [verb, id] = input.words;
  const path = `/v1/sources/${encodeURIComponent(id ?? '')}`;
  const needsId = ['change', 'run', 'runs', 'remove'].includes(verb ?? '');
  if (needsId && id === undefined) {
    terminal.warn(`Which source? sekisho sources ${verb} <id>; the ids are in: sekisho sources list`);
    return 2;
  }
  switch (verb) {
    case 'list': {
      const rows = await withServer(input, allSources);
      for (const row of rows) terminal.print(lineOf(row));
      return 0;
    }
    case 'add':
    case 'change': {
      const value = valueOf(input, verb === 'add' ? 1 : 2);
      if (value === undefined) {
        const example = `'{"name": "manual", "collection": "manual", "settings": {"kind": "url", "url": "https://…"}}'`;
        terminal.warn(
          `sekisho sources ${verb} ${verb === 'add' ? example : "<id> '<JSON or YAML>'"}   or   --file FILE`,
        );
        return 2;
      }
      const told = await withServer(input, (server) =>
        verb === 'add' ? server.json('POST', '/v1/sources', value) : server.json('PATCH', path, value),
      );
      terminal.print(lineOf(told));
      return 0;
    }
    case 'run': {
      const run = await withServer(input, (server) => runToEnd(server, path, input));
      terminal.print(runLine(run));
      for (const each of arrayAt(run, 'failures').filter(isJsonObject)) {
        terminal.warn(
          `  failed: ${visibleField(stringAt(each, 'key') ?? '')}: ${visibleField(stringAt(each, 'reason') ?? '')}`,
        );
      }
      return run['complete'] === true ? 0 : 1;
    }
    case 'runs': {
      const told = await withServer(input, (server) => server.json('GET', `${path}/runs`));
      for (const run of arrayAt(told, 'data').filter(isJsonObject)) terminal.print(runLine(run));
      return 0;
    }
    case 'remove':
      await withServer(input, (server) => server.json('DELETE', path));
      terminal.print(`${id} is removed, with its documents.`);
      return 0;
    default:
      terminal.warn('sources takes list, add, change, run, runs or remove.');
      return 2;
  }
}

async function allSources(server: ServerClient): Promise<JsonObject[]> {
  const rows: JsonObject[] = [];
  for (;;) {
    const after = encodeURIComponent(stringAt(rows.at(-1) ?? {}, 'id') ?? '');
    const page = await server.json('GET', `/v1/sources?limit=100&after=${after}`);
    rows.push(...arrayAt(page, 'data').filter(isJsonObject));
    if (page['has_more'] !== true) return rows;
  }
}

async function runToEnd(server: ServerClient, path: string, { terminal }: CommandInput): Promise<JsonObject> {
  const runId = stringAt(await server.json('POST', `${path}/run`), 'run');
  for (;;) {
    const runs = arrayAt(await server.json('GET', `${path}/runs?limit=5`), 'data').filter(isJsonObject);
    const run = runs.find((each) => each['id'] === runId);
    if (run !== undefined) {
      const found = numberAt(run, 'found') ?? 0;
      const done = ['changed', 'unchanged', 'failed'].reduce((sum, name) => sum + (numberAt(run, name) ?? 0), 0);
      terminal.progress('Running the source', done, Math.max(found, 1));
      if (run['state'] !== 'running') return run;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function valueOf({ words, options }: CommandInput, place: number): JsonObject | undefined {
  const text = options.file === undefined ? words[place] : readFileSync(options.file, 'utf8');
  const value: unknown = text === undefined ? undefined : parse(text);
  return isJsonObject(value) ? value : undefined;
}

function lineOf(source: JsonObject): string {
  const field = (name: string): string => visibleField(stringAt(source, name) ?? '-');
  const kind = stringAt(objectAt(source, 'settings') ?? {}, 'kind') ?? '';
  const last = objectAt(source, 'last_run');
  return [
    field('id'),
    kind.padEnd(7),
    field('collection'),
    field('state'),
    field('schedule'),
    last === undefined ? 'never run' : runLine(last),
    field('name'),
  ].join('  ');
}

function runLine(run: JsonObject): string {
  const figures = ['found', 'changed', 'unchanged', 'removed', 'failed'].map(
    (name) => `${numberAt(run, name) ?? 0} ${name}`,
  );
  const reason = stringAt(run, 'reason') ?? stringAt(objectAt(run, 'listed') ?? {}, 'reason');
  const told = reason === undefined ? '' : `  (${visibleField(reason)})`;
  return `${stringAt(run, 'started_at')}  ${stringAt(run, 'state')}  ${figures.join(', ')}${told}`;
}
