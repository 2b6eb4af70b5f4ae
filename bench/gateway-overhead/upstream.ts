/**
 * The upstream of the bench: a fixed answer, plain or as a stream of 50 events of which one goes out every
 * 2 ms, so that each event is a piece of its own on the wire; 503 for the model `bench-refused`.
 * Prints its port; GET tells how many calls have come.
 */
const EVENTS = 50;
const EVENT_EVERY_MS = 2;

const content = 'The checkpoint on the old highway wrote every traveller into its book. '.repeat(6);
const usage = { prompt_tokens: 120, completion_tokens: 84, total_tokens: 204 };
const head = { id: 'chatcmpl-bench', created: 1_760_000_000, model: 'bench-model' };
const plain = JSON.stringify({
  ...head,
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage,
});

const chunk = (choices: object[], more: object = {}): Uint8Array =>
  new TextEncoder().encode(
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`,
  );
const events: Uint8Array[] = [];
for (let at = 0; at < EVENTS - 3; at++) {
  events.push(chunk([{ index: 0, delta: { content: ' traveller' }, finish_reason: null }]));
}
events.push(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]));
events.push(chunk([], { usage }));
events.push(new TextEncoder().encode('data: [DONE]\n\n'));

interface OpenStream {
  controller: ReadableStreamDefaultController<Uint8Array>;
  next: number;
}
const open = new Set<OpenStream>();
setInterval(() => {
  for (const stream of open) sendNext(stream);
}, EVENT_EVERY_MS);

function sendNext(stream: OpenStream): void {
  const event = events[stream.next++];
  if (event) stream.controller.enqueue(event);
  if (stream.next < events.length) return;
  open.delete(stream);
  stream.controller.close();
}

function streamed(): Response {
  let mine: OpenStream | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      mine = { controller, next: 0 };
      sendNext(mine);
      open.add(mine);
    },
    cancel() {
      if (mine) open.delete(mine);
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

let calls = 0;

function refused(): Response {
  const error = { message: 'The engine is overloaded.', type: 'server_error', param: null, code: null };
  return Response.json({ error }, { status: 503 });
}

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  async fetch(request) {
    if (request.method === 'GET') return new Response(String(calls));
    calls++;
    const body = await request.text();
    // Some proxies write JSON with blanks.
    const head = body.length > 4_000 ? body.slice(0, 2_000) + body.slice(-2_000) : body;
    if (head.includes('"bench-refused"')) return refused();
    if (/"stream": ?true/.test(head)) return streamed();
    return new Response(plain, { headers: { 'content-type': 'application/json' } });
  },
});
console.log(JSON.stringify({ port: server.port }));

export {};
