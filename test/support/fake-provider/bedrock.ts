import { readFileSync } from 'node:fs';
import { arrayAt, isJsonObject, objectAt, parseJson, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import { eventMessage } from './event-message.ts';
import type { FakeBody, FakeWireModule } from './fake-answer.ts';
import { fakeVector } from './recorded-embedding.ts';

const FIXTURES = new URL('./fixtures/bedrock/', import.meta.url);
const EXCEPTIONS: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  503: 'ServiceUnavailableException',
};

/** Bedrock's Converse, its event stream, InvokeModel for embeddings, and the lists of models. */
export const bedrockWire: FakeWireModule = ({ path, json }) => {
  const call = /^\/model\/([^/]+)\/(converse|converse-stream|invoke|count-tokens)$/.exec(path);
  const lists = /^\/(foundation-models|inference-profiles)/.exec(path);
  if (call === null && lists === null) return undefined;
  const [, id = '', verb = lists?.[1] ?? ''] = call ?? [];
  const model = decodeURIComponent(id);
  return {
    model,
    healthy: (name) => bodyOf(verb, name ?? answerFor(json), json),
    failure: (status) => ({
      body: JSON.stringify({ message: `The fake provider was told to answer ${status}.` }),
      headers: { 'x-amzn-errortype': `${EXCEPTIONS[status] ?? 'InternalServerException'}:http://internal.example/` },
    }),
  };
};

function bodyOf(verb: string, name: AnswerName, json: JsonObject): FakeBody {
  switch (verb) {
    case 'converse':
      return { body: fixture(`${name}.json`) };
    case 'converse-stream': {
      const contentType = 'application/vnd.amazon.eventstream';
      return { events: recordedMessages(name), contentType, encoding: 'latin1' };
    }
    case 'count-tokens':
      return { body: '{"inputTokens":17}' };
    case 'invoke':
      return { body: JSON.stringify(embeddingOf(json)) };
    case 'inference-profiles':
      return { body: '{"inferenceProfileSummaries":[]}' };
    default:
      return { body: fixture('models.json') };
  }
}

/** The recorded stream: each line of the file is the name of an event and its payload. */
function recordedMessages(name: AnswerName): string[] {
  return fixture(`${name}.jsonl`)
    .split('\n')
    .flatMap((line) => {
      const event = parseJson(line);
      if (!isJsonObject(event)) return [];
      return [eventMessage(stringAt(event, 'event') ?? '', objectAt(event, 'payload') ?? {}).toString('latin1')];
    });
}

function embeddingOf(request: JsonObject): object {
  const text = stringAt(request, 'inputText');
  if (text !== undefined) {
    const embedding = [...fakeVector(text, Number(request['dimensions'] ?? 8))];
    return { embedding, inputTextTokenCount: Math.ceil(text.length / 4) };
  }
  const vectors = arrayAt(request, 'texts').map((each) => [...fakeVector(String(each), 8)]);
  return { embeddings: { float: vectors }, response_type: 'embeddings_by_type' };
}

/** Which recorded answer a request calls for where the test names none. */
function answerFor(request: JsonObject): AnswerName {
  const afterTool = JSON.stringify(arrayAt(request, 'messages').at(-1) ?? '').includes('"toolResult"');
  if (objectAt(request, 'toolConfig') !== undefined && !afterTool) return 'tools';
  if (objectAt(request, 'outputConfig') !== undefined) return 'json';
  const thinking = objectAt(objectAt(request, 'additionalModelRequestFields') ?? {}, 'thinking');
  return thinking === undefined || thinking['type'] === 'disabled' ? 'plain' : 'thinking';
}

function fixture(name: string): string {
  return readFileSync(new URL(name, FIXTURES), 'utf8');
}
