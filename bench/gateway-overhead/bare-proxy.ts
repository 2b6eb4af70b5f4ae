/**
 * The yardstick: what a proxy cannot do without. Parses the body, looks the key up in a map, forwards with
 * fetch, reads the usage of a plain answer; passes the bytes of a stream through unseen. The model `bench-fallback`
 * goes to `bench-refused` and, after a 503, to `bench-model`. Prints its port.
 * Environment: UPSTREAM (origin), KEY.
 */
const upstream = `${process.env['UPSTREAM'] ?? ''}/v1/chat/completions`;
const keys = new Map([[`Bearer ${process.env['KEY'] ?? ''}`, { name: 'bench' }]]);
let tokens = 0;

const forward = (body: string): Promise<Response> =>
  fetch(upstream, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer upstream' },
    body,
  });

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  async fetch(request) {
    if (!keys.has(request.headers.get('authorization') ?? '')) return new Response('{}', { status: 401 });
    const text = await request.text();
    const body: unknown = JSON.parse(text);
    const streamed = typeof body === 'object' && body !== null && 'stream' in body && body.stream === true;
    const backed = typeof body === 'object' && body !== null && 'model' in body && body.model === 'bench-fallback';
    let answer = await forward(backed ? JSON.stringify({ ...body, model: 'bench-refused' }) : text);
    if (backed && answer.status === 503) {
      await answer.arrayBuffer();
      answer = await forward(JSON.stringify({ ...body, model: 'bench-model' }));
    }
    if (streamed) return new Response(answer.body, { headers: { 'content-type': 'text/event-stream' } });
    const answerText = await answer.text();
    const parsed: unknown = JSON.parse(answerText);
    if (typeof parsed === 'object' && parsed !== null && 'usage' in parsed)
      tokens += JSON.stringify(parsed.usage).length;
    return new Response(answerText, { headers: { 'content-type': 'application/json' } });
  },
});
console.log(JSON.stringify({ port: server.port, tokens }));

export {};
