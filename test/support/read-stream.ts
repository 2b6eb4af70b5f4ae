import { isJsonObject, parseJson, type JsonObject } from '../../src/lib/json.ts';

/** What a caller saw of a streamed answer, byte for byte. */
export interface SeenStream {
  status: number;
  headers: Headers;
  text: string;
  /** The data of each event, in order; `[DONE]` and other text as it is. */
  data: (JsonObject | string)[];
  /** `closed` where the body ended as HTTP says, `broken` where the connection was lost before. */
  end: 'closed' | 'broken';
}

/** Reads a streamed answer to its end, whatever the end is. */
export async function readStream(response: Response): Promise<SeenStream> {
  const decoder = new TextDecoder();
  let text = '';
  let end: SeenStream['end'] = 'closed';
  try {
    for await (const piece of response.body ?? []) text += decoder.decode(piece, { stream: true });
  } catch {
    end = 'broken';
  }
  text += decoder.decode();
  return { status: response.status, headers: response.headers, text, data: dataOf(text), end };
}

/** The data of the events of an event stream whose events have one data line each. */
export function dataOf(text: string): (JsonObject | string)[] {
  return text.split(/\r\n|\n|\r/).flatMap((line) => {
    if (!line.startsWith('data:')) return [];
    const data = line.slice('data:'.length).trim();
    const parsed = parseJson(data);
    return [isJsonObject(parsed) ? parsed : data];
  });
}

/** The text that the deltas of an OpenAI stream make up. */
export function openaiText(data: SeenStream['data']): string {
  return data.map((each) => text(first(field(each, 'choices')), 'delta', 'content')).join('');
}

/** The text that the deltas of an Anthropic stream make up. */
export function anthropicText(data: SeenStream['data']): string {
  return data.map((each) => text(each, 'delta', 'text')).join('');
}

/** The text that the deltas of a stream of responses make up. */
export function responsesText(data: SeenStream['data']): string {
  return data.map((each) => (field(each, 'type') === 'response.output_text.delta' ? text(each, 'delta') : '')).join('');
}

/** The error events of a stream, in either dialect. */
export function errorsOf(data: SeenStream['data']): JsonObject[] {
  return data.flatMap((each) => {
    const error = field(each, 'error');
    return isJsonObject(error) ? [error] : [];
  });
}

function field(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined;
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

function text(value: unknown, ...path: string[]): string {
  const found = path.reduce(field, value);
  return typeof found === 'string' ? found : '';
}
