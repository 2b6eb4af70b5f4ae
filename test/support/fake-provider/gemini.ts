import { readFileSync } from 'node:fs';
import { isJsonObject, objectAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import type { FakeBody, FakeWireModule } from './fake-answer.ts';
import { fakeVector } from './recorded-embedding.ts';

const FIXTURES = new URL('./fixtures/gemini/', import.meta.url);
const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** Google's generateContent, its stream, embeddings and the list of models. */
export const geminiWire: FakeWireModule = ({ method, path, json }) => {
  const call = /^\/v1beta\/models\/([^/:]+):(\w+)/.exec(path);
  const lists = method === 'GET' && path.startsWith('/v1beta/models');
  if (call === null && !lists) return undefined;
  const [, model = '', verb = 'list'] = call ?? [];
  return {
    model: decodeURIComponent(model),
    healthy: (name) => bodyOf(verb, name ?? answerFor(json), json),
    failure: (status) => {
      const message = `The fake provider was told to answer ${status}.`;
      return { body: JSON.stringify({ error: { code: status, message, status: STATUSES[status] ?? 'UNKNOWN' } }) };
    },
  };
};

function bodyOf(verb: string, name: AnswerName, json: JsonObject): FakeBody {
  switch (verb) {
    case 'generateContent':
      return { body: fixture(`${name}.json`) };
    case 'streamGenerateContent': {
      const events = fixture(`${name}.sse`)
        .split('\n\n')
        .flatMap((event) => (event === '' ? [] : [`${event}\n\n`]));
      return { events, contentType: 'text/event-stream', encoding: 'utf8' };
    }
    case 'countTokens':
      return { body: '{"totalTokens":17}' };
    case 'embedContent':
      return { body: JSON.stringify({ embedding: embeddingOf(json) }) };
    case 'batchEmbedContents': {
      const requests = Array.isArray(json['requests']) ? json['requests'].filter(isJsonObject) : [];
      return { body: JSON.stringify({ embeddings: requests.map(embeddingOf) }) };
    }
    default:
      return { body: fixture('models.json') };
  }
}

function embeddingOf(request: JsonObject): object {
  const { parts } = objectAt(request, 'content') ?? {};
  const [part] = Array.isArray(parts) ? parts : [];
  const text = isJsonObject(part) ? (stringAt(part, 'text') ?? '') : '';
  return { values: [...fakeVector(text, Number(request['outputDimensionality'] ?? 8))] };
}

/** Which recorded answer a request calls for where the test names none. */
function answerFor(request: JsonObject): AnswerName {
  const contents = Array.isArray(request['contents']) ? request['contents'] : [];
  const afterTool = JSON.stringify(contents.at(-1) ?? '').includes('"functionResponse"');
  if (Array.isArray(request['tools']) && !afterTool) return 'tools';
  const config = objectAt(request, 'generationConfig') ?? {};
  if (config['responseJsonSchema'] !== undefined) return 'json';
  return objectAt(config, 'thinkingConfig')?.['includeThoughts'] === true ? 'thinking' : 'plain';
}

function fixture(name: string): string {
  return readFileSync(new URL(name, FIXTURES), 'utf8');
}
