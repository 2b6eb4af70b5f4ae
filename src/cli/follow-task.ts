import { numberAt, objectAt, stringAt, type JsonObject } from '../lib/json.ts';
import type { ServerClient } from './server-client.ts';

/** How far a task is: pieces that have ended, and all of them. */
export type OnTaskProgress = (ended: number, total: number) => void;

/** How often a stream of events that broke off is asked for again without an event in between. */
const MOST_BREAKS = 5;

/**
 * Follows the events of a task to its end. A stream that breaks off is asked for again: every event is the whole
 * state, so nothing is missed.
 * @returns the task as it ended. @throws Error where the stream breaks off again and again.
 */
export async function followTask(server: ServerClient, id: string, onProgress: OnTaskProgress): Promise<JsonObject> {
  for (let breaks = 0; breaks < MOST_BREAKS; breaks++) {
    for await (const { event, data } of server.events(`/v1/tasks/${encodeURIComponent(id)}/events?interval_ms=200`)) {
      breaks = 0;
      const progress = objectAt(data, 'progress') ?? {};
      const total = numberAt(progress, 'total') ?? 0;
      const ended = ['done', 'failed', 'cancelled'].reduce((sum, key) => sum + (numberAt(progress, key) ?? 0), 0);
      onProgress(ended, total);
      if (event === 'end') return data;
    }
  }
  throw new Error(`The events of ${id} broke off; sekisho tasks watch ${id} asks again.`);
}

/** Why a task was not done, in one line; undefined where it was. */
export function taskProblem(task: JsonObject): string | undefined {
  const state = stringAt(task, 'state');
  if (state === 'done') return undefined;
  return stringAt(objectAt(task, 'failure') ?? {}, 'message') ?? state ?? 'its state is not known';
}
