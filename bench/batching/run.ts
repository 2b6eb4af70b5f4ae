// What does batching embedding calls gain, and what does it cost? See README.md.
import { createEmbedBatcher } from '../../src/gateway/batching/embed-batcher.ts';
import type { ResolvedTarget } from '../../src/gateway/routing/plan.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { EmbeddingAnswer, EmbeddingCall } from '../../src/ports/provider.ts';
import { createOpenAiProvider } from '../../src/providers/openai/openai-provider.ts';

const ROUNDS = 5;
const WAIT_MS = 3;
const MAX_INPUTS = 256;
const SECONDS = 2;
const UPSTREAMS = [
  { name: 'own server: one call at a time, 8 ms + 0.15 ms per input', args: ['1', '8', '0.15'] },
  { name: 'vendor: any number at once, 60 ms + 0.1 ms per input', args: ['100000', '60', '0.1'] },
];
const CALLERS = [1, 2, 8, 64];

type Embed = (call: EmbeddingCall) => Promise<EmbeddingAnswer>;

interface Figures {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  callsPerText: number;
  cpuUs: number;
}

/** Callers that each ask for one text after another, for the time of a round. */
async function measure(callers: number, embed: Embed, count: () => Promise<number>): Promise<Figures> {
  await count();
  const latencies: number[] = [];
  const { signal } = new AbortController();
  const startedMs = performance.now();
  const cpu = process.cpuUsage();
  const endMs = startedMs + SECONDS * 1_000;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let asked = 0; performance.now() < endMs; asked++) {
        const sinceMs = performance.now();
        const input = [`text ${asked} of caller ${caller}, about as long as a question`];
        const { vectors } = (await embed({ model: 'm', target: 'up/m', signal, request: { input } })).result();
        if (vectors.length !== 1) throw new Error('not one vector');
        latencies.push(performance.now() - sinceMs);
      }
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  const tookMs = performance.now() - startedMs;
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return {
    perSecond: (latencies.length * 1_000) / tookMs,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    callsPerText: (await count()) / latencies.length,
    cpuUs: (user + system) / latencies.length,
  };
}

function median(figures: readonly Figures[], name: keyof Figures): number {
  const sorted = figures.map((each) => each[name]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

for (const { name, args } of UPSTREAMS) {
  const child = Bun.spawn([process.execPath, `${import.meta.dirname}/upstream.ts`, ...args], { stdout: 'pipe' });
  const reader = child.stdout.getReader();
  const port = new TextDecoder().decode((await reader.read()).value).trim();
  const baseUrl = `http://127.0.0.1:${port}`;
  const count = async (): Promise<number> => Number(await (await fetch(`${baseUrl}/count`)).text());
  const endpoint = createOpenAiProvider({
    name: 'up',
    baseUrl,
    timeouts: { connectMs: 5_000, firstByteMs: 60_000, betweenDataMs: 60_000 },
  });
  const plain: Embed = (call) => endpoint.embed?.(call) ?? Promise.reject(new Error('no embeddings'));
  const batcher = createEmbedBatcher({
    waitMs: WAIT_MS,
    maxInputs: MAX_INPUTS,
    clock: systemClock,
    send: (_, call) => plain(call),
  });
  const target: ResolvedTarget = {
    name: 'up/m',
    key: 'up/m',
    place: 'up',
    provider: 'up',
    model: 'm',
    weight: 1,
    endpoint,
    policy: {},
  };
  const sides: [string, Embed][] = [
    ['alone', plain],
    ['batched', (call) => batcher.embed(target, call)],
  ];
  console.log(`\n${name}\n`);
  console.log('| callers | side | texts/s | p50 ms | p99 ms | upstream calls per text | CPU µs per text |');
  console.log('|---|---|---|---|---|---|---|');
  for (const callers of CALLERS) {
    const seen = new Map<string, Figures[]>(sides.map(([side]) => [side, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const [side, embed] of sides) seen.get(side)?.push(await measure(callers, embed, count));
    }
    for (const [side, figures] of seen) {
      const [perSecond, p50, p99] = [median(figures, 'perSecond'), median(figures, 'p50Ms'), median(figures, 'p99Ms')];
      const [share, cpu] = [median(figures, 'callsPerText'), median(figures, 'cpuUs')];
      console.log(
        `| ${callers} | ${side} | ${perSecond.toFixed(0)} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${share.toFixed(2)} | ${cpu.toFixed(0)} |`,
      );
    }
  }
  child.kill();
  await child.exited;
}
