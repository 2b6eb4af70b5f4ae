import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import type { FakeBody, FakeWireModule } from './fake-answer.ts';
import { fakeVector } from './recorded-embedding.ts';

/** What a recorded answer says, in the pieces that its stream sends. This wire knows neither tools nor schemas. */
const SAID: Readonly<Record<AnswerName, string[]>> = {
  plain: ['The', ' gate is open.', ' 関所は', '開いています', ' 🏯.'],
  tools: ['It is', ' sunny.'],
  'parallel-tools': ['It is', ' sunny.'],
  json: ['{"name":', '"Hakone"}'],
  thinking: ['6 x 7', ' = 42.'],
};
const INPUT_TOKENS = 17;
/** Of each piece. */
const OUTPUT_TOKENS = 3;

const tensor = (name: string, datatype: string, shape: number[]): JsonObject => ({ name, datatype, shape });
const TEXT_MODEL: JsonObject = {
  inputs: [
    tensor('text_input', 'BYTES', [1]),
    tensor('stream', 'BOOL', [1]),
    tensor('sampling_parameters', 'BYTES', [1]),
    tensor('exclude_input_in_output', 'BOOL', [1]),
    tensor('return_finish_reason', 'BOOL', [1]),
    tensor('return_num_input_tokens', 'BOOL', [1]),
    tensor('return_num_output_tokens', 'BOOL', [1]),
  ],
  outputs: [tensor('text_output', 'BYTES', [-1]), tensor('finish_reason', 'BYTES', [-1])],
};
const EMBEDDER: JsonObject = {
  inputs: [tensor('text', 'BYTES', [-1, 1])],
  outputs: [tensor('embedding', 'FP32', [-1, 8])],
};

/**
 * A Triton whose models are all loaded: text by its vLLM backend, and vectors of models whose name begins with
 * `embed`. As that backend does, it repeats the prompt and tells no counts unless it is asked otherwise.
 */
export const kserveWire: FakeWireModule = ({ path, json }) => {
  const [, model = '', verb = ''] = /^\/v2\/models\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
  const server = /^\/v2\/(?:health\/ready|repository\/.+)$/.test(path);
  if (model === '' && !server) return undefined;
  return {
    model,
    healthy: (name) => (server ? serverBody(path) : bodyOf({ model, verb, json, name: name ?? 'plain' })),
    failure: (status) => ({
      body: JSON.stringify({
        error:
          status === 400
            ? `Request for unknown model: '${model}' is not found`
            : `The fake provider was told to answer ${status}.`,
      }),
    }),
  };
};

function serverBody(path: string): FakeBody {
  return { body: path.endsWith('/index') ? '[{"name":"qwen","version":"1","state":"READY"}]' : '' };
}

function bodyOf(call: { model: string; verb: string; json: JsonObject; name: AnswerName }): FakeBody {
  const { model, verb, json } = call;
  const pieces = SAID[call.name];
  const event = (text: string, tokens: number, reason: string): string =>
    JSON.stringify(pieceOf(json, { model, text, tokens, reason }));
  switch (verb) {
    case 'ready':
      return { body: '' };
    case 'generate':
      return { body: event(pieces.join(''), OUTPUT_TOKENS * pieces.length, 'stop') };
    case 'generate_stream': {
      const events = pieces.map(
        (piece, at) => `data: ${event(piece, OUTPUT_TOKENS, at === pieces.length - 1 ? 'stop' : 'None')}\n\n`,
      );
      return { events, contentType: 'text/event-stream; charset=utf-8', encoding: 'utf8' };
    }
    case 'infer': {
      const [input] = arrayAt(json, 'inputs').filter(isJsonObject);
      const texts = input === undefined ? [] : arrayAt(input, 'data');
      const data = texts.flatMap((text) => [...fakeVector(String(text), 8)]);
      const outputs = [{ name: 'embedding', datatype: 'FP32', shape: [texts.length, 8], data }];
      return { body: JSON.stringify({ model_name: model, outputs }) };
    }
    default:
      return { body: JSON.stringify({ name: model, ...(model.startsWith('embed') ? EMBEDDER : TEXT_MODEL) }) };
  }
}

function pieceOf(
  request: JsonObject,
  { model, text, tokens, reason }: { model: string; text: string; tokens: number; reason: string },
): JsonObject {
  const wishes = objectAt(request, 'parameters') ?? {};
  const echo = wishes['stream'] !== true && wishes['exclude_input_in_output'] !== true;
  return {
    model_name: model,
    model_version: '1',
    text_output: (echo ? (stringAt(request, 'text_input') ?? '') : '') + text,
    ...(wishes['return_finish_reason'] === true && { finish_reason: reason }),
    ...(wishes['return_num_input_tokens'] === true && { num_input_tokens: INPUT_TOKENS }),
    ...(wishes['return_num_output_tokens'] === true && { num_output_tokens: tokens }),
  };
}
