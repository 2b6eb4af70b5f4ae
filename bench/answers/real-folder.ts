import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startSekishoProcess, type ServerProcess } from '../../test/support/start-server.ts';

/** A question of the file: one JSON object per line, whose other fields are those of POST /v1/query. */
interface Asked {
  id: string;
  body: JsonObject;
}

const COLLECTION = 'real-folder';
const USAGE = 'bun bench/answers/real-folder.ts FOLDER [QUESTIONS.jsonl]';

const [folder, file = join(import.meta.dirname, 'real-folder.jsonl')] = process.argv.slice(2);
if (folder === undefined) {
  console.error(USAGE);
  process.exit(2);
}
const server = await startSekishoProcess({ config: { discover: false, handbook: false } });
try {
  await ingest(server, folder);
  for (const asked of questionsOf(file)) await ask(server, asked);
} finally {
  await server.stop();
}

/** As a user does: with the command, whose output is shown. */
async function ingest({ dataFolder, adminKey }: ServerProcess, path: string): Promise<void> {
  const main = join(import.meta.dirname, '../../src/main.ts');
  const child = Bun.spawn([process.execPath, main, 'ingest', path, '--collection', COLLECTION], {
    env: { PATH: process.env['PATH'], SEKISHO_DATA: dataFolder, SEKISHO_ADMIN_KEY: adminKey },
    stdout: 'inherit',
    stderr: 'inherit',
  });
  await child.exited;
}

function questionsOf(path: string): Asked[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const value = parseJson(line);
      if (!isJsonObject(value)) throw new Error(`${path}: a line is no JSON object`);
      const { id, ...body } = value;
      return { id: String(id), body };
    });
}

/** Shows the answer to be read, and compares every citation with the stored text. */
async function ask(to: ServerProcess, { id, body }: Asked): Promise<void> {
  const answer = await call(to, '/v1/query', { ...body, collection: COLLECTION });
  console.log(`\n## ${id} ${stringAt(body, 'query')}\n\n${stringAt(answer, 'answer') ?? JSON.stringify(answer)}\n`);
  for (const citation of arrayAt(answer, 'citations').filter(isJsonObject)) {
    const document = stringAt(citation, 'document_id') ?? '';
    const [start = 0, end = 0] = [numberAt(citation, 'start'), numberAt(citation, 'end')];
    const stored = await call(to, `/v1/collections/${COLLECTION}/documents/${encodeURIComponent(document)}`);
    const isExact = stringAt(stored, 'content')?.slice(start, end) === stringAt(citation, 'sentence');
    const page = numberAt(citation, 'page');
    console.log(
      `- ${document} ${start}–${end}${page === undefined ? '' : `, page ${page}`}: ${isExact ? 'exact' : 'NOT EXACT'}`,
    );
  }
}

async function call({ url, adminKey }: ServerProcess, path: string, body?: JsonObject): Promise<JsonObject> {
  const response = await fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  const value = parseJson(await response.text());
  if (!isJsonObject(value)) throw new Error(`${path}: no JSON object`);
  return objectAt(value, 'error') ?? value;
}
