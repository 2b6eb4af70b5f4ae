import { Database } from 'bun:sqlite';
import { join } from 'node:path';
import { isJsonObject, parseJson, stringAt } from '../../src/lib/json.ts';
import { eventually } from './eventually.ts';
import type { ServerProcess } from './start-server.ts';

export const POSTS = 'posts';

/** A document of which every sentence says whose and from which round it is, so that torn text can be told. */
export interface Post {
  id: string;
  content: string;
}

/** What the store holds of a document after a kill: what answers, what waits, what is to go. */
export interface StoredPost {
  id: string;
  state: string;
  text: string | null;
  pending_text: string | null;
  chunks: number;
}

/** Rounds differ in length: offsets of one, applied to the text of another, cut a sentence. */
export function postOf(number: number, round: number): Post {
  const lines = Array.from(
    { length: 2 + ((number + round) % 40) },
    () => `Round ${round} of word${number} ${'passed the gate '.repeat(1 + (round % 4))}at 関所.`,
  );
  return { id: `post-${number}`, content: lines.join('\n') };
}

/** The round that every sentence of the text names; undefined where they differ or one is cut. */
export function roundOf(number: number, text: string): number | undefined {
  const round = Number(/^Round (\d+) of /.exec(text)?.[1] ?? Number.NaN);
  const [line = ''] = postOf(number, round || 0).content.split('\n');
  return text.split('\n').every((each) => each === line) ? round : undefined;
}

/** The minimal standard generator of Park and Miller: numbers from 0 to 1, the same in every run. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Sends documents; true once they are acknowledged, false where the server died before. */
export async function sendPosts(server: ServerProcess, documents: readonly Post[]): Promise<boolean> {
  const body = { collection_name: POSTS, documents };
  const answer = await request(server, { method: 'POST', path: '/v1/index', body });
  if (answer === undefined) return false;
  if (answer.status !== 200 || !answer.text.includes('"failed":[]')) throw new Error(answer.text.slice(0, 500));
  return true;
}

/** Deletes a document, or the collection; true once it is acknowledged. */
export async function deletePost(server: ServerProcess, id?: string): Promise<boolean> {
  const path = `/v1/collections/${POSTS}${id === undefined ? '' : `/documents/${id}`}`;
  return (await request(server, { method: 'DELETE', path }))?.status === 200;
}

/** The texts that a search for a document's own word gives of it; undefined where the server died before. */
export async function textsOf(server: ServerProcess, number: number): Promise<string[] | undefined> {
  const body = { query: `word${number}`, collection: POSTS, top_k: 20 };
  const answer = await request(server, { method: 'POST', path: '/v1/search', body });
  if (answer === undefined) return undefined;
  const value = parseJson(answer.text);
  const hits = isJsonObject(value) ? value['hits'] : undefined;
  if (answer.status !== 200 || !Array.isArray(hits)) throw new Error(answer.text.slice(0, 500));
  return hits.flatMap((hit) =>
    isJsonObject(hit) && hit['document_id'] === `post-${number}` ? [stringAt(hit, 'content') ?? ''] : [],
  );
}

/** Reads the stored documents past the server. */
export function storedPosts(dataFolder: string): Map<string, StoredPost> {
  const database = new Database(join(dataFolder, 'sekisho.db'), { readonly: true });
  try {
    const sql = 'SELECT id, state, text, pending_text, chunks FROM documents WHERE collection = ?';
    return new Map(
      database
        .query<StoredPost, [string]>(sql)
        .all(POSTS)
        .map((row) => [row.id, row]),
    );
  } finally {
    database.close();
  }
}

/** Waits until nothing is left of what an earlier process began. */
export function allFinished(dataFolder: string): Promise<true> {
  return eventually(
    'everything that was accepted is finished',
    () => [...storedPosts(dataFolder).values()].every((row) => row.state === 'ready' && row.pending_text === null),
    20_000,
  );
}

async function request(
  { url, adminKey }: ServerProcess,
  { method, path, body }: { method: string; path: string; body?: object },
): Promise<{ status: number; text: string } | undefined> {
  try {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${adminKey}` },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    return undefined;
  }
}
