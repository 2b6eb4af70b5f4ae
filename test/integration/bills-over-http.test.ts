import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import type { FileConfig } from '../../src/config/schema.ts';
import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, type JsonObject } from '../../src/lib/json.ts';
import { eventMessage } from '../support/fake-provider/event-message.ts';
import { startFakeProvider, type FakeProvider } from '../support/fake-provider/fake-provider.ts';
import { openLedger, type LedgerReader } from '../support/read-ledger.ts';
import { dataOf } from '../support/read-stream.ts';
import { startSekisho, type TestServer } from '../support/start-server.ts';

const PRICE = {
  input_per_million: 2,
  cached_input_per_million: 0.2,
  cache_write_per_million: 2.5,
  long_cache_write_per_million: 4,
  output_per_million: 10,
  per_thousand_searches: 2,
};
const MODEL = 'model-of-bills';

/** What an upstream reports, and its bill, worked out by hand. */
interface Bill {
  wire: 'openai' | 'anthropic' | 'gemini' | 'bedrock' | 'cohere';
  /** The whole answer, and the same as the events of a stream. */
  body: JsonObject;
  events: string[];
  input: number;
  cached: number;
  output: number;
  reasoning: number;
  micros: number;
}

const sse = (data: JsonObject | string, event?: string): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
const named = (data: JsonObject & { type: string }): string => sse(data, data.type);
const message = (event: string, data: object): string => eventMessage(event, data).toString('latin1');

const OPENAI_USAGE = {
  prompt_tokens: 2_006,
  completion_tokens: 300,
  total_tokens: 2_306,
  prompt_tokens_details: { cached_tokens: 1_920 },
  completion_tokens_details: { reasoning_tokens: 192 },
};
const ANTHROPIC_USAGE = {
  input_tokens: 2_048,
  cache_read_input_tokens: 1_800,
  cache_creation_input_tokens: 248,
  cache_creation: { ephemeral_5m_input_tokens: 148, ephemeral_1h_input_tokens: 100 },
  output_tokens: 503,
};
const GEMINI_USAGE = {
  promptTokenCount: 1_300,
  cachedContentTokenCount: 1_000,
  candidatesTokenCount: 50,
  thoughtsTokenCount: 150,
  totalTokenCount: 1_500,
};
const BEDROCK_USAGE = {
  inputTokens: 1_000,
  outputTokens: 200,
  totalTokens: 5_200,
  cacheReadInputTokens: 3_000,
  cacheWriteInputTokens: 1_000,
};
const COHERE_USAGE = {
  billed_units: { input_tokens: 1_000, output_tokens: 200 },
  tokens: { input_tokens: 1_500, output_tokens: 207 },
  cached_tokens: 400,
};
const chunk = (choices: JsonObject[], more: JsonObject = {}): string =>
  sse({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: MODEL, choices, ...more });
const candidate = (text: string, more: JsonObject = {}): JsonObject => ({
  content: { role: 'model', parts: [{ text }] },
  index: 0,
  ...more,
});
const anthropicMessage = { id: 'm1', type: 'message', role: 'assistant', model: MODEL };

const BILLS: Bill[] = [
  {
    wire: 'openai',
    body: {
      id: 'c1',
      object: 'chat.completion',
      created: 1,
      model: MODEL,
      choices: [{ index: 0, message: { role: 'assistant', content: 'Yes.' }, finish_reason: 'stop' }],
      usage: OPENAI_USAGE,
    },
    events: [
      chunk([{ index: 0, delta: { role: 'assistant', content: 'Yes.' }, finish_reason: null }]),
      chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
      chunk([], { usage: OPENAI_USAGE }),
      sse('[DONE]'),
    ],
    input: 2_006,
    cached: 1_920,
    output: 300,
    reasoning: 192,
    // 86 at 2, 1,920 at 0.2, 300 at 10: reasoning is a part of the output.
    micros: 172 + 384 + 3_000,
  },
  {
    wire: 'anthropic',
    body: {
      ...anthropicMessage,
      content: [{ type: 'text', text: 'Yes.' }],
      stop_reason: 'end_turn',
      usage: ANTHROPIC_USAGE,
    },
    events: [
      named({
        type: 'message_start',
        message: { ...anthropicMessage, content: [], usage: { ...ANTHROPIC_USAGE, output_tokens: 1 } },
      }),
      named({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      named({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Yes.' } }),
      named({ type: 'content_block_stop', index: 0 }),
      named({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 503 } }),
      named({ type: 'message_stop' }),
    ],
    input: 2_048 + 1_800 + 248,
    cached: 1_800,
    output: 503,
    reasoning: 0,
    // 2,048 at 2, 1,800 at 0.2, 148 at 2.5, 100 at 4, 503 at 10.
    micros: 4_096 + 360 + 370 + 400 + 5_030,
  },
  {
    wire: 'gemini',
    body: { candidates: [candidate('Yes.', { finishReason: 'STOP' })], usageMetadata: GEMINI_USAGE, responseId: 'r1' },
    events: [
      sse({ candidates: [candidate('Ye')], usageMetadata: { ...GEMINI_USAGE, candidatesTokenCount: 1 } }),
      sse({ candidates: [candidate('s.', { finishReason: 'STOP' })], usageMetadata: GEMINI_USAGE }),
    ],
    input: 1_300,
    cached: 1_000,
    output: 200,
    reasoning: 150,
    // 300 at 2, 1,000 at 0.2, 200 at 10: thoughts stand beside the candidates.
    micros: 600 + 200 + 2_000,
  },
  {
    wire: 'bedrock',
    body: {
      output: { message: { role: 'assistant', content: [{ text: 'Yes.' }] } },
      stopReason: 'end_turn',
      usage: BEDROCK_USAGE,
    },
    events: [
      message('messageStart', { role: 'assistant' }),
      message('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'Yes.' } }),
      message('contentBlockStop', { contentBlockIndex: 0 }),
      message('messageStop', { stopReason: 'end_turn' }),
      message('metadata', { usage: BEDROCK_USAGE }),
    ],
    input: 5_000,
    cached: 3_000,
    output: 200,
    reasoning: 0,
    // 1,000 at 2, 3,000 at 0.2, 1,000 at 2.5, 200 at 10.
    micros: 2_000 + 600 + 2_500 + 2_000,
  },
  {
    wire: 'cohere',
    body: {
      id: 'r1',
      finish_reason: 'COMPLETE',
      message: { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] },
      usage: COHERE_USAGE,
    },
    events: [
      named({ type: 'message-start', id: 'r1', delta: { message: { role: 'assistant', content: [] } } }),
      named({ type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } }),
      named({ type: 'content-delta', index: 0, delta: { message: { content: { text: 'Yes.' } } } }),
      named({ type: 'content-end', index: 0 }),
      named({ type: 'message-end', id: 'r1', delta: { finish_reason: 'COMPLETE', usage: COHERE_USAGE } }),
    ],
    input: 1_000,
    cached: 0,
    output: 200,
    reasoning: 0,
    // 1,000 at 2, 200 at 10: what the vendor adds to a prompt is not billed.
    micros: 2_000 + 2_000,
  },
];

const PATHS = { openai: '/v1/chat/completions', anthropic: '/v1/messages', responses: '/v1/responses' } as const;
type Dialect = keyof typeof PATHS;

let upstream: FakeProvider;
let server: TestServer;
let ledger: LedgerReader;
beforeAll(async () => {
  upstream = await startFakeProvider();
  const base = { openai: '/v1', anthropic: '', gemini: '/v1beta', bedrock: '', cohere: '' };
  const providers: NonNullable<FileConfig['providers']> = {};
  for (const { wire } of BILLS) {
    providers[wire] = {
      wire,
      api_key: 'sk-upstream',
      base_url: `${upstream.origin}${base[wire]}`,
      models: [MODEL],
      prices: { [MODEL]: PRICE },
      ...(wire === 'bedrock' && { aws: { region: 'us-east-1' } }),
    };
  }
  const routes = Object.fromEntries(BILLS.map(({ wire }) => [`to-${wire}`, [`${wire}/${MODEL}`]]));
  server = await startSekisho({
    config: { discover: false, handbook: false, providers, routes, logging: { level: 'silent' } },
  });
  ledger = openLedger(server.dataFolder);
});
afterAll(async () => {
  ledger.close();
  await server.stop();
  await upstream.stop();
});
beforeEach(() => upstream.reset());

const headers = () => ({ 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` });
async function post(path: string, body: JsonObject): Promise<Response> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: headers(),
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return response;
}

function ask(dialect: Dialect, wire: string, stream: boolean): Promise<Response> {
  return post(PATHS[dialect], {
    model: `to-${wire}`,
    stream,
    ...(dialect === 'responses'
      ? { input: 'Open?' }
      : { max_tokens: 900, messages: [{ role: 'user', content: 'Open?' }] }),
    ...(dialect === 'openai' && stream && { stream_options: { include_usage: true } }),
  });
}

/** What /metrics has counted for the target of a wire. */
async function counted(wire: string): Promise<{ dollars: number; input: number; output: number }> {
  const text = await (await fetch(`${server.url}/metrics`, { headers: headers() })).text();
  const value = (name: string, label: string): number => {
    const own = (line: string) =>
      line.startsWith(`${name}{`) && line.includes(`target="${wire}/${MODEL}"`) && line.includes(label);
    return Number(text.split('\n').find(own)?.split(' ').at(-1) ?? 0);
  };
  return {
    dollars: value('llm_cost_dollars_total', ''),
    input: value('llm_tokens_used_total', 'type="input"'),
    output: value('llm_tokens_used_total', 'type="output"'),
  };
}

const roads = BILLS.flatMap((bill) =>
  (['openai', 'anthropic', 'responses'] as const).flatMap((dialect) =>
    [false, true].map((stream) => ({ bill, wire: bill.wire, dialect, stream })),
  ),
);

test.each(roads)(
  'C2: a bill of $wire, asked in the dialect $dialect (stream: $stream): ledger, metric, header and answer agree',
  async ({ bill, wire, dialect, stream }) => {
    upstream.script(stream ? { events: () => bill.events } : { body: JSON.stringify(bill.body) });
    const before = await counted(wire);
    const response = await ask(dialect, wire, stream);
    const told = usageIn(dialect, await response.text(), stream);

    const row = await ledger.settled(response.headers.get('x-sekisho-request-id'));
    expect(row).toMatchObject({
      outcome: 'ok',
      usage_basis: 'reported',
      input_tokens: bill.input,
      cached_input_tokens: bill.cached,
      output_tokens: bill.output,
      reasoning_tokens: bill.reasoning,
      cost_micros: bill.micros,
    });
    expect(told).toEqual({ input: bill.input, output: bill.output });
    // The head of a stream goes out before its bill is known.
    const header = response.headers.get('x-sekisho-cost-usd');
    expect(header === null ? null : Number(header)).toBe(stream ? null : bill.micros / 1e6);
    const after = await counted(wire);
    expect(Math.round((after.dollars - before.dollars) * 1e6)).toBe(bill.micros);
    expect([after.input - before.input, after.output - before.output]).toEqual([bill.input, bill.output]);
  },
);

test('C2: a rerank is billed by its searches, embeddings by their input', async () => {
  const rerank = await post('/v1/rerank', { model: 'to-cohere', query: 'q', documents: ['a', 'b'] });
  expect(rerank.headers.get('x-sekisho-cost-usd')).toBe('0.002000');
  expect((await ledger.settled(rerank.headers.get('x-sekisho-request-id'))).cost_micros).toBe(2_000);
  upstream.script({
    body: JSON.stringify({ data: [{ index: 0, embedding: [1] }], usage: { prompt_tokens: 500, total_tokens: 500 } }),
  });
  const embeddings = await post('/v1/embeddings', { model: 'to-openai', input: 'a text', encoding_format: 'float' });
  expect(embeddings.headers.get('x-sekisho-cost-usd')).toBe('0.001000');
  const row = await ledger.settled(embeddings.headers.get('x-sekisho-request-id'));
  expect(row).toMatchObject({ input_tokens: 500, output_tokens: 0, cost_micros: 1_000 });
});

test('C2: the report of usage is the sum of the bills', async () => {
  const report = parseJson(await (await fetch(`${server.url}/v1/usage?by=target`, { headers: headers() })).text());
  const groups = isJsonObject(report) ? arrayAt(report, 'groups').filter(isJsonObject) : [];
  const sum = groups.reduce((total, group) => total + (numberAt(group, 'cost_micros') ?? Number.NaN), 0);
  const bills = BILLS.reduce((total, { micros }) => total + micros, 0) * 6;
  expect(sum).toBe(bills + 2_000 + 1_000);
});

/** The usage that the caller was told, the whole prompt as input; totals are the sum of their parts. */
function usageIn(dialect: Dialect, body: string, stream: boolean): { input: number; output: number } {
  const events = stream ? dataOf(body).filter(isJsonObject) : [parseJson(body)].filter(isJsonObject);
  const found = events.flatMap((event) => [event, objectAt(event, 'message'), objectAt(event, 'response')]);
  const usage: JsonObject = Object.assign({}, ...found.map((each) => objectAt(each ?? {}, 'usage')));
  const at = (name: string): number => numberAt(usage, name) ?? 0;
  if (dialect === 'anthropic') {
    const input = at('input_tokens') + at('cache_read_input_tokens') + at('cache_creation_input_tokens');
    return { input, output: at('output_tokens') };
  }
  const [input, output] =
    dialect === 'openai' ? [at('prompt_tokens'), at('completion_tokens')] : [at('input_tokens'), at('output_tokens')];
  expect(at('total_tokens')).toBe(input + output);
  return { input, output };
}
