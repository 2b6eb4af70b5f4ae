import { arrayAt, isJsonObject, numberAt, objectAt, stringAt, type JsonObject } from '../lib/json.ts';
import type { CommandInput } from './command.ts';
import { followTask, taskProblem } from './follow-task.ts';
import { visibleField } from './terminal.ts';
import { withServer } from './with-server.ts';

/** `tasks list|show|watch|cancel|retry`: the work in the background. */
export async function tasksCommand(input: CommandInput): Promise<number> {
  const { terminal, options } = input;
  const [verb = 'list', id] = input.words;
  if (verb === 'list') {
    const query = new URLSearchParams({ limit: '100' });
    if (options.state !== undefined) query.set('state', options.state);
    if (options.queue !== undefined) query.set('queue', options.queue);
    const answer = await withServer(input, (server) => server.json('GET', `/v1/tasks?${query.toString()}`));
    for (const task of arrayAt(answer, 'data').filter(isJsonObject)) terminal.print(lineOf(task));
    return 0;
  }
  if (!['show', 'watch', 'cancel', 'retry'].includes(verb)) {
    terminal.warn('sekisho tasks list | show <id> | watch <id> | cancel <id> | retry <id>');
    return 2;
  }
  if (id === undefined) {
    terminal.warn(`Which task? sekisho tasks ${verb} <id>`);
    return 2;
  }
  const path = encodeURIComponent(id);
  if (verb === 'watch') {
    const task = await withServer(input, (server) =>
      followTask(server, id, (ended, total) => terminal.progress(id, ended, total)),
    );
    terminal.print(lineOf(task));
    return taskProblem(task) === undefined ? 0 : 1;
  }
  const task = await withServer(input, (server) =>
    verb === 'show' ? server.json('GET', `/v1/task_status/${path}`) : server.json('POST', `/v1/tasks/${path}/${verb}`),
  );
  terminal.print(verb === 'show' ? JSON.stringify(task, null, 2) : lineOf(task));
  return 0;
}

function lineOf(task: JsonObject): string {
  const progress = objectAt(task, 'progress') ?? {};
  const count = (key: string): number => numberAt(progress, key) ?? 0;
  const problem = stringAt(objectAt(task, 'failure') ?? {}, 'message');
  return [
    stringAt(task, 'task_id') ?? '',
    (stringAt(task, 'state') ?? '').padEnd(9),
    (stringAt(task, 'kind') ?? '').padEnd(11),
    `${count('done')}/${count('total')}${count('failed') > 0 ? `, ${count('failed')} failed` : ''}`.padEnd(9),
    stringAt(task, 'created_at') ?? '',
    problem === undefined ? '' : visibleField(problem),
  ]
    .join('  ')
    .trimEnd();
}
