import { arrayAt, objectAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import type { FakeBody, FakeWireModule } from './fake-answer.ts';
import { fakeVector } from './recorded-embedding.ts';

/** What a recorded answer says, in the pieces that its stream sends. */
interface Said {
  thinking?: string[];
  text?: string[];
  plan?: string[];
  calls?: { id: string; city: string }[];
  usage: JsonObject;
}

const usageOf = (input: number, output: number): JsonObject => ({
  billed_units: { input_tokens: input, output_tokens: output },
  // What the vendor adds to a prompt is processed, and not billed.
  tokens: { input_tokens: input + 500, output_tokens: output + 7 },
  cached_tokens: 400,
});

const PLAN = ['I will', ' look.'];
const TOKYO = { id: 'get_weather_tokyo01', city: 'Tokyo' };

const SAID: Readonly<Record<AnswerName, Said>> = {
  plain: { text: ['The', ' gate is open.', ' 関所は', '開いています', ' 🏯.'], usage: usageOf(17, 14) },
  tools: { plan: PLAN, calls: [TOKYO], usage: usageOf(80, 22) },
  'parallel-tools': {
    plan: PLAN,
    calls: [TOKYO, { id: 'get_weather_paris02', city: 'Paris' }],
    usage: usageOf(80, 41),
  },
  json: { text: ['{"name":', '"Hakone"}'], usage: usageOf(30, 8) },
  thinking: { thinking: ['Six', ' times seven', ': 42.'], text: ['6 x 7', ' = 42.'], usage: usageOf(43, 31) },
};

/** Version 2 of Cohere: chat and its stream, embeddings, rerank; and the list of models of version 1. */
export const cohereWire: FakeWireModule = ({ method, path, json }) => {
  const verb = /^\/v2\/(chat|embed|rerank)$/.exec(path)?.[1];
  // The same address without a page is the list of the openai wire.
  const lists = method === 'GET' && path.startsWith('/v1/models?page_size=');
  if (verb === undefined && !lists) return undefined;
  return {
    model: stringAt(json, 'model') ?? '',
    healthy: (name) => bodyOf(verb, name ?? answerFor(json), json),
    failure: (status) => ({
      body: JSON.stringify({ id: 'fake-error', message: `The fake provider was told to answer ${status}.` }),
    }),
  };
};

function bodyOf(verb: string | undefined, name: AnswerName, json: JsonObject): FakeBody {
  switch (verb) {
    case 'chat':
      return json['stream'] === true
        ? { events: eventsOf(SAID[name]), contentType: 'text/event-stream', encoding: 'utf8' }
        : { body: JSON.stringify(wholeOf(SAID[name])) };
    case 'embed': {
      const size = Number(json['output_dimension'] ?? 8);
      const float = arrayAt(json, 'texts').map((text) => [...fakeVector(String(text), size)]);
      return { body: JSON.stringify({ id: 'e1', embeddings: { float }, meta: { billed_units: { input_tokens: 5 } } }) };
    }
    case 'rerank': {
      const scored = arrayAt(json, 'documents').map((_, index) => ({ index, relevance_score: (index + 1) / 10 }));
      const results = scored.toReversed().slice(0, Number(json['top_n'] ?? scored.length));
      return { body: JSON.stringify({ id: 'r1', results, meta: { billed_units: { search_units: 1 } } }) };
    }
    default:
      return { body: JSON.stringify({ models: [{ name: 'command-a-03-2025', endpoints: ['chat'] }] }) };
  }
}

const callOf = ({ id }: { id: string }, written: string): JsonObject => ({
  id,
  type: 'function',
  function: { name: 'get_weather', arguments: written },
});
const argumentsOf = ({ city }: { city: string }): string => JSON.stringify({ city, unit: 'celsius' });
const finishOf = (said: Said): string => (said.calls === undefined ? 'COMPLETE' : 'TOOL_CALL');

function wholeOf(said: Said): JsonObject {
  const content = [
    ...(said.thinking ? [{ type: 'thinking', thinking: said.thinking.join('') }] : []),
    ...(said.text ? [{ type: 'text', text: said.text.join('') }] : []),
  ];
  return {
    id: 'fake-cohere-01',
    finish_reason: finishOf(said),
    message: {
      role: 'assistant',
      ...(content.length > 0 && { content }),
      ...(said.plan && { tool_plan: said.plan.join('') }),
      ...(said.calls && { tool_calls: said.calls.map((call) => callOf(call, argumentsOf(call))) }),
    },
    usage: said.usage,
  };
}

function eventsOf(said: Said): string[] {
  const event = (type: string, more: JsonObject): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const delta = (type: string, index: number, message: JsonObject): string =>
    event(type, { index, delta: { message } });
  const block = (type: 'thinking' | 'text', index: number, pieces: readonly string[]): string[] => [
    delta('content-start', index, { content: { type, [type]: '' } }),
    ...pieces.map((piece) => delta('content-delta', index, { content: { [type]: piece } })),
    event('content-end', { index }),
  ];
  const { thinking = [], text = [], plan = [], calls = [] } = said;
  return [
    event('message-start', {
      id: 'fake-cohere-02',
      delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } },
    }),
    ...(thinking.length > 0 ? block('thinking', 0, thinking) : []),
    ...(text.length > 0 ? block('text', thinking.length > 0 ? 1 : 0, text) : []),
    ...plan.map((piece) => event('tool-plan-delta', { delta: { message: { tool_plan: piece } } })),
    ...calls.flatMap((call, index) => [
      delta('tool-call-start', index, { tool_calls: callOf(call, '') }),
      ...(argumentsOf(call).match(/.{1,9}/g) ?? []).map((piece) =>
        delta('tool-call-delta', index, { tool_calls: { function: { arguments: piece } } }),
      ),
      event('tool-call-end', { index }),
    ]),
    event('message-end', { id: 'fake-cohere-02', delta: { finish_reason: finishOf(said), usage: said.usage } }),
  ];
}

/** Which answer a request calls for where the test names none. */
function answerFor(request: JsonObject): AnswerName {
  const last = arrayAt(request, 'messages').at(-1);
  if (Array.isArray(request['tools']) && !JSON.stringify(last ?? '').includes('"tool_call_id"')) return 'tools';
  if (objectAt(request, 'response_format') !== undefined) return 'json';
  return objectAt(request, 'thinking')?.['type'] === 'enabled' ? 'thinking' : 'plain';
}
