import type { JsonObject } from '../../lib/json.ts';
import type { TextCall } from './encode.ts';
import { tensorsIn, textTensor, valueTensor, type Tensor } from './tensors.ts';

const TOLD = ['finish_reason', 'num_input_tokens', 'num_output_tokens'];

/**
 * A text call as tensors, for servers without the generate extension: the prompt, and each parameter that the
 * model has an input for; the others go as parameters of the request. `output` names the tensor that holds the
 * text. Undefined where the model takes or gives no text.
 */
export function inferText(
  { prompt, parameters }: TextCall,
  model: { inputs: readonly Tensor[]; outputs: readonly Tensor[] },
): { request: JsonObject; output: string } | undefined {
  const input = textAmong(model.inputs, 'text_input');
  const output = textAmong(model.outputs, 'text_output');
  if (input === undefined || output === undefined) return undefined;
  const tensors: JsonObject[] = [textTensor(input, [prompt])];
  const others: JsonObject = {};
  for (const [name, value] of Object.entries(parameters)) {
    const own = model.inputs.find((each) => each.name === name);
    if (value === undefined) continue;
    if (own !== undefined) tensors.push(valueTensor(own, value));
    else others[name] = value;
  }
  const wanted = model.outputs.filter(({ name }) => name === output.name || TOLD.includes(name));
  return {
    request: {
      inputs: tensors,
      outputs: wanted.map(({ name }) => ({ name })),
      ...(Object.keys(others).length > 0 && { parameters: others }),
    },
    output: output.name,
  };
}

/** The answer in the form of the generate extension: one field for each tensor, the text under `text_output`. */
export function textAnswerIn(json: JsonObject, output: string): JsonObject {
  const answer: JsonObject = {};
  for (const { name, data } of tensorsIn(json, 'outputs')) {
    answer[name === output ? 'text_output' : name] = data.flat(8)[0];
  }
  return answer;
}

function textAmong(tensors: readonly Tensor[], name: string): Tensor | undefined {
  return tensors.find((each) => each.name === name) ?? tensors.find(({ datatype }) => datatype === 'BYTES');
}
