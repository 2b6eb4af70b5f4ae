import type { FileConfig } from '../../src/config/schema.ts';
import { isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { createSseFramer, parseSse, type SseEvent } from '../../src/lib/sse.ts';
import { eventually } from './eventually.ts';

/** Whom the calls go to. */
export interface JobsServer {
  url: string;
  adminKey: string;
}

/** One upstream whose embedding model and chat model do what a test tells them. */
export function jobsConfig(upstream: { baseUrl: string }, more: FileConfig = {}): FileConfig {
  return {
    discover: false,
    handbook: false,
    retry: { attempts: 1 },
    // One test after the other breaks the same targets; none may find them ill from the one before.
    breaker: { minimum_calls: 10_000 },
    providers: {
      up: {
        wire: 'openai',
        api_key: 'sk-upstream-4711',
        base_url: upstream.baseUrl,
        models: ['gpt-4o-mini', 'text-embedding-3-small'],
      },
    },
    routes: { embed: ['up/text-embedding-3-small'] },
    embedding: { route: 'embed' },
    cache: { embeddings: false },
    logging: { level: 'silent' },
    ...more,
  };
}

/** The tasks of a server as a caller sees them. */
export function createTaskCaller(server: () => JobsServer) {
  async function send(method: string, path: string, body?: object | FormData, key?: string): Promise<Response> {
    const isForm = body instanceof FormData;
    return fetch(`${server().url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key ?? server().adminKey}`,
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    });
  }

  async function json(method: string, path: string, body?: object, key?: string): Promise<JsonObject> {
    const answer = parseJson(await (await send(method, path, body, key)).text());
    return isJsonObject(answer) ? answer : {};
  }

  /** Hands work over. @returns the id of its task. */
  async function submit(path: string, body: object | FormData, key?: string): Promise<string> {
    const response = await send('POST', path, body, key);
    const text = await response.text();
    const told = parseJson(text);
    const id = isJsonObject(told) ? stringAt(told, 'task_id') : undefined;
    if (response.status !== 202 || id === undefined) throw new Error(`Not accepted (${response.status}): ${text}`);
    return id;
  }

  const status = (id: string, key?: string): Promise<JsonObject> =>
    json('GET', `/v1/task_status/${id}`, undefined, key);

  /** Waits until the task is in one of the states. */
  const until = (id: string, states: readonly string[], withinMs?: number): Promise<JsonObject> =>
    eventually(
      `${id} is ${states.join(' or ')}`,
      async () => {
        const task = await status(id);
        return states.includes(String(task['state'])) && task;
      },
      withinMs,
    );

  /** Every event of a task until its stream ends. */
  async function* events(id: string, query = '', signal?: AbortSignal): AsyncGenerator<SseEvent> {
    const response = await fetch(`${server().url}/v1/tasks/${id}/events${query}`, {
      headers: { authorization: `Bearer ${server().adminKey}` },
      ...(signal && { signal }),
    });
    const framer = createSseFramer();
    for await (const packet of response.body ?? []) {
      const run = framer.push(packet);
      if (run !== undefined) yield* parseSse(run);
    }
  }

  return { send, json, submit, status, until, events };
}

export type TaskCaller = ReturnType<typeof createTaskCaller>;

/** The counts of a task's progress. */
export function progressOf(task: JsonObject): JsonObject {
  return objectAt(task, 'progress') ?? {};
}
