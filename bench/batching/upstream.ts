// An embeddings server with a cost per call and a cost per input: `bun upstream.ts <at once> <call ms> <input ms>`.
// It prints its port. GET /count tells and forgets how many calls it has answered.
const [atOnce = 1, callMs = 8, inputMs = 0.15] = process.argv.slice(2).map(Number);
const VECTOR = Buffer.from(Float32Array.from({ length: 384 }, (_, at) => at / 384).buffer).toString('base64');

let free = atOnce;
let calls = 0;
const queue: (() => void)[] = [];

async function worked(inputs: number): Promise<void> {
  if (free === 0) await new Promise<void>((resolve) => void queue.push(resolve));
  else free--;
  await Bun.sleep(callMs + inputs * inputMs);
  const next = queue.shift();
  if (next === undefined) free++;
  else next();
}

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  idleTimeout: 0,
  fetch: async (request) => {
    if (new URL(request.url).pathname === '/count') {
      const counted = calls;
      calls = 0;
      return Response.json(counted);
    }
    const { input } = (await request.json()) as { input: string[] };
    await worked(input.length);
    calls++;
    return Response.json({
      object: 'list',
      model: 'm',
      data: input.map((_, index) => ({ object: 'embedding', index, embedding: VECTOR })),
      usage: { prompt_tokens: input.length * 8, total_tokens: input.length * 8 },
    });
  },
});
console.log(server.port);
