/** What is asked, how often, and how many at once. */
export interface Scenario {
  name: string;
  /** The public model name, and the configuration of a side that goes with it. */
  kind: 'plain' | 'cached' | 'fallback';
  stream: boolean;
  promptBytes: number;
  requests: number;
  concurrency: number;
}

/** The model names that every side is given. */
export const MODELS = { plain: 'bench-model', cached: 'bench-cached', fallback: 'bench-fallback' } as const;

const SHORT = 550;
const LONG = 400_000;

/**
 * CPU and throughput at 16 at once; latency one call at a time, where waiting in line does not hide the proxy.
 * A side that is slower by an order of magnitude is sent fewer calls, which its share says.
 */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'plain', kind: 'plain', stream: false, promptBytes: SHORT, requests: 8_000, concurrency: 16 },
  { name: 'stream', kind: 'plain', stream: true, promptBytes: SHORT, requests: 320, concurrency: 16 },
  { name: 'hit', kind: 'cached', stream: false, promptBytes: SHORT, requests: 8_000, concurrency: 16 },
  { name: 'fallback', kind: 'fallback', stream: false, promptBytes: SHORT, requests: 3_000, concurrency: 16 },
  { name: 'large', kind: 'plain', stream: false, promptBytes: LONG, requests: 400, concurrency: 4 },
  { name: 'plain-1', kind: 'plain', stream: false, promptBytes: SHORT, requests: 400, concurrency: 1 },
  { name: 'hit-1', kind: 'cached', stream: false, promptBytes: SHORT, requests: 400, concurrency: 1 },
  { name: 'fallback-1', kind: 'fallback', stream: false, promptBytes: SHORT, requests: 200, concurrency: 1 },
  { name: 'large-1', kind: 'plain', stream: false, promptBytes: LONG, requests: 60, concurrency: 1 },
  { name: 'stream-1', kind: 'plain', stream: true, promptBytes: SHORT, requests: 20, concurrency: 1 },
];

const SENTENCE = 'A traveller arrives at the gate with three companions, two horses and a letter of passage. ';

/** The body of a call, with what a side wants beside it. */
export function bodyOf({ kind, stream, promptBytes }: Scenario, more: object = {}): string {
  const content = SENTENCE.repeat(Math.ceil(promptBytes / SENTENCE.length)).slice(0, promptBytes);
  return JSON.stringify({
    model: MODELS[kind],
    messages: [
      { role: 'system', content: 'You keep the gate. Answer in one sentence.' },
      { role: 'user', content },
    ],
    temperature: 0.2,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
    ...more,
  });
}
