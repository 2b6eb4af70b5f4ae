import { arrayAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import type { FakeBody, FakeWireModule } from './fake-answer.ts';
import { fakeVector } from './recorded-embedding.ts';

/** What a recorded answer says, in the pieces that its stream sends. */
interface Said {
  thinking?: string[];
  text?: string[];
  cities?: string[];
  input: number;
  output: number;
}

const SAID: Readonly<Record<AnswerName, Said>> = {
  plain: { text: ['The', ' gate is open.', ' 関所は', '開いています', ' 🏯.'], input: 17, output: 14 },
  tools: { cities: ['Tokyo'], input: 80, output: 22 },
  'parallel-tools': { cities: ['Tokyo', 'Paris'], input: 80, output: 41 },
  json: { text: ['{"name":', '"Hakone"}'], input: 30, output: 8 },
  thinking: { thinking: ['Six', ' times seven', ': 42.'], text: ['6 x 7', ' = 42.'], input: 43, output: 31 },
};

/** Ollama's own addresses, as a server answers that gives its calls no ids. */
export const ollamaWire: FakeWireModule = ({ path, json }) => {
  const verb = /^\/api\/(chat|embed|tags|show|version)$/.exec(path)?.[1];
  if (verb === undefined) return undefined;
  const model = stringAt(json, 'model') ?? '';
  return {
    model,
    healthy: (name) => bodyOf(verb, name ?? answerFor(json), { ...json, model }),
    failure: (status) => ({
      body: JSON.stringify({
        error: status === 404 ? `model '${model}' not found` : `The fake provider was told to answer ${status}.`,
      }),
    }),
  };
};

function bodyOf(verb: string, name: AnswerName, json: JsonObject): FakeBody {
  switch (verb) {
    case 'chat':
      return json['stream'] === false
        ? { body: JSON.stringify(wholeOf(SAID[name], json)) }
        : { events: linesOf(SAID[name], json), contentType: 'application/x-ndjson', encoding: 'utf8' };
    case 'embed': {
      const size = Number(json['dimensions'] ?? 8);
      const embeddings = arrayAt(json, 'input').map((text) => [...fakeVector(String(text), size)]);
      return { body: JSON.stringify({ model: json['model'], embeddings, prompt_eval_count: 5 }) };
    }
    case 'show':
      return { body: '{"model_info":{"general.architecture":"llama","llama.context_length":131072}}' };
    case 'tags':
      return { body: '{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest"}]}' };
    default:
      return { body: '{"version":"0.13.5"}' };
  }
}

const headOf = (json: JsonObject): JsonObject => ({ model: json['model'], created_at: '2026-01-01T00:00:00.000000Z' });
const endOf = (said: Said): JsonObject => ({
  done: true,
  done_reason: 'stop',
  total_duration: 5_000_000,
  prompt_eval_count: said.input,
  eval_count: said.output,
});
const callOf = (city: string): JsonObject => ({
  function: { name: 'get_weather', arguments: { city, unit: 'celsius' } },
});

function wholeOf(said: Said, json: JsonObject): JsonObject {
  const message = {
    role: 'assistant',
    content: (said.text ?? []).join(''),
    ...(said.thinking && { thinking: said.thinking.join('') }),
    ...(said.cities && { tool_calls: said.cities.map(callOf) }),
  };
  return { ...headOf(json), message, ...endOf(said) };
}

function linesOf(said: Said, json: JsonObject): string[] {
  const line = (message: JsonObject, more: JsonObject = { done: false }): string =>
    `${JSON.stringify({ ...headOf(json), message: { role: 'assistant', content: '', ...message }, ...more })}\n`;
  return [
    ...(said.thinking ?? []).map((thinking) => line({ thinking })),
    ...(said.text ?? []).map((content) => line({ content })),
    ...(said.cities ?? []).map((city) => line({ tool_calls: [callOf(city)] })),
    line({}, endOf(said)),
  ];
}

/** Which answer a request calls for where the test names none. */
function answerFor(request: JsonObject): AnswerName {
  const last = JSON.stringify(arrayAt(request, 'messages').at(-1) ?? '');
  if (Array.isArray(request['tools']) && !last.includes('"role":"tool"')) return 'tools';
  if (request['format'] !== undefined) return 'json';
  return request['think'] === true ? 'thinking' : 'plain';
}
