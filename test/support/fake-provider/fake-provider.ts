import { gzipSync } from 'node:zlib';
import { isJsonObject, parseJson, stringAt, type JsonObject } from '../../../src/lib/json.ts';
import { bedrockWire } from './bedrock.ts';
import type { Behaviour, Place } from './behaviour.ts';
import type { FakeAnswer, FakeBody, FakeWireModule } from './fake-answer.ts';
import { cohereWire } from './cohere.ts';
import { completionsForm } from './completions.ts';
import { countTokensWire } from './count-tokens.ts';
import { geminiWire } from './gemini.ts';
import { listenHttp, type WireAnswer, type WireRequest } from './http-listener.ts';
import { kserveWire } from './kserve.ts';
import { ollamaWire } from './ollama.ts';
import { answerFor, errorBody, recordedBody, recordedEvents, type FakeWire } from './recorded-answer.ts';
import { recordedEmbedding } from './recorded-embedding.ts';
import { rerankForm } from './rerank.ts';
import { responsesForm } from './responses.ts';

/** Wires with addresses of their own; each knows its requests by their path. */
const WIRES: readonly FakeWireModule[] = [
  geminiWire,
  bedrockWire,
  cohereWire,
  ollamaWire,
  kserveWire,
  responsesForm,
  completionsForm,
  countTokensWire,
  rerankForm,
];

/** One request that the fake provider got. */
export interface RecordedRequest extends WireRequest {
  json: JsonObject;
  /** Resolves when the caller left before the answer was complete. */
  aborted: Promise<void>;
  /** How it ended; `open` until then. */
  outcome: 'open' | 'answered' | 'aborted' | 'broken';
}

/** A real HTTP server that speaks recorded wires and misbehaves when told to. */
export interface FakeProvider {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** The origin with `/v1`: the base URL of the OpenAI wire. */
  readonly baseUrl: string;
  readonly requests: RecordedRequest[];
  /** Behaviours for the next model calls, first in, first out; after them every call is healthy. */
  script(...behaviours: Behaviour[]): void;
  /** The behaviour of every call to this model; comes before the script. */
  onModel(model: string, behaviour: Behaviour): void;
  /** Lets everything that stands still go on. */
  release(): void;
  /** Resolves when a call stands still (at once where one does). */
  stalled(): Promise<void>;
  /** Resolves with the request at `index` (from 0) once it has come. */
  request(index: number): Promise<RecordedRequest>;
  /** Resolves once every request that came has ended one way or another. */
  idle(): Promise<void>;
  /** Calls whose caller left before the end. */
  readonly aborts: number;
  openSockets(): number;
  /** Forgets requests, script and models; open connections stay. */
  reset(): void;
  stop(): Promise<void>;
}

/** Starts a fake provider on a free loopback port. */
export async function startFakeProvider(): Promise<FakeProvider> {
  const requests: RecordedRequest[] = [];
  const queue: Behaviour[] = [];
  const models = new Map<string, Behaviour>();
  const standing = new Set<() => void>();
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const watcher of watchers) watcher();
  };
  const until = <T>(look: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const watcher = (): void => {
        const found = look();
        if (found === undefined) return;
        watchers.delete(watcher);
        resolve(found);
      };
      watchers.add(watcher);
      watcher();
    });
  const standStill = async (answer: WireAnswer): Promise<void> => {
    let free: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      free = resolve;
    });
    standing.add(free);
    changed();
    await Promise.race([released, answer.gone]);
    standing.delete(free);
  };

  const listener = await listenHttp(async (request, answer) => {
    const parsed = parseJson(request.body);
    const json = isJsonObject(parsed) ? parsed : {};
    let left: () => void = () => undefined;
    const aborted = new Promise<void>((resolve) => {
      left = resolve;
    });
    const record: RecordedRequest = { ...request, json, aborted, outcome: 'open' };
    requests.push(record);
    changed();
    const wire = WIRES.map((module) => module(record)).find((found) => found !== undefined);
    const model = wire?.model ?? stringAt(json, 'model') ?? '';
    const direction = { behaviour: () => models.get(model) ?? queue.shift() ?? {}, standStill };
    const outcome = await (wire === undefined
      ? respond(record, answer, direction)
      : respondOn(wire, record, { answer, direction }));
    record.outcome = outcome;
    if (outcome === 'aborted') left();
    changed();
  });

  const origin = `http://127.0.0.1:${listener.port}`;
  return {
    origin,
    baseUrl: `${origin}/v1`,
    requests,
    script: (...behaviours) => void queue.push(...behaviours),
    onModel: (model, behaviour) => void models.set(model, behaviour),
    release: () => {
      for (const free of standing) free();
    },
    stalled: () => until(() => (standing.size > 0 ? true : undefined)).then(() => undefined),
    request: (index) => until(() => requests[index]),
    idle: () => until(() => requests.every((request) => request.outcome !== 'open') || undefined).then(() => undefined),
    get aborts() {
      return requests.filter((request) => request.outcome === 'aborted').length;
    },
    openSockets: listener.openSockets,
    reset: () => {
      requests.length = 0;
      queue.length = 0;
      models.clear();
    },
    stop: listener.stop,
  };
}

interface Direction {
  behaviour: () => Behaviour;
  standStill: (answer: WireAnswer) => Promise<void>;
}

type Outcome = RecordedRequest['outcome'];

/** Answers one request; says how it ended. */
async function respond(request: RecordedRequest, answer: WireAnswer, direction: Direction): Promise<Outcome> {
  const path = request.path.split('?')[0];
  const wire: FakeWire = path === '/v1/messages' || request.headers['anthropic-version'] ? 'anthropic' : 'openai';
  if (request.method === 'GET' && path === '/v1/models') {
    return answerWhole(recordedBody(wire, 'models'), {}, { answer, direction });
  }
  const known = ['/v1/chat/completions', '/v1/messages', '/v1/embeddings'];
  if (request.method !== 'POST' || !known.includes(path ?? '')) {
    return answerWhole(errorBody(wire, 404), { fail: { status: 404 } }, { answer, direction });
  }
  const behaviour = direction.behaviour();
  const exchange = { answer, direction };
  if (behaviour.fail) {
    return answerWhole(behaviour.fail.body ?? errorBody(wire, behaviour.fail.status), behaviour, exchange);
  }
  if (path === '/v1/embeddings') {
    return answerWhole(behaviour.body ?? recordedEmbedding(request.json), behaviour, exchange);
  }
  const name = behaviour.answer ?? answerFor(request.json);
  if (request.json['stream'] === true) {
    const events = recordedEvents(wire, name, request.json);
    return answerStream(
      { events, contentType: 'text/event-stream; charset=utf-8', encoding: 'utf8' },
      behaviour,
      exchange,
    );
  }
  return answerWhole(behaviour.body ?? recordedBody(wire, name), behaviour, exchange);
}

/** The same on a wire with addresses of its own; lists of models are no calls, and nothing goes wrong with them. */
async function respondOn(wire: FakeAnswer, request: RecordedRequest, exchange: Exchange): Promise<Outcome> {
  const behaviour = request.method === 'GET' ? {} : exchange.direction.behaviour();
  if (behaviour.fail) {
    const { body, headers } = wire.failure(behaviour.fail.status);
    return answerWhole(behaviour.fail.body ?? body, behaviour, exchange, headers);
  }
  const healthy = wire.healthy(behaviour.answer);
  if ('events' in healthy) return answerStream(healthy, behaviour, exchange);
  return answerWhole(behaviour.body ?? healthy.body, behaviour, exchange);
}

interface Exchange {
  answer: WireAnswer;
  direction: Direction;
}

async function answerWhole(
  body: string,
  behaviour: Behaviour,
  exchange: Exchange,
  more: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const { answer } = exchange;
  const headers = { ...headersOf(behaviour, 'application/json'), ...more };
  const bytes = behaviour.encoding === 'gzip' ? gzipSync(body) : Buffer.from(body);
  const early = await passPlace('before-headers', behaviour, exchange);
  if (early) return early;
  if (behaviour.stall || behaviour.break || behaviour.pieces === 'byte') {
    answer.head(behaviour.fail?.status ?? 200, headers);
    const broken = await passPlace('after-headers', behaviour, exchange);
    if (broken) return broken;
    await writePieces(bytes, behaviour, answer);
    const late = await passPlace('end', behaviour, exchange);
    if (late) return late;
    answer.end();
  } else {
    answer.whole(behaviour.fail?.status ?? 200, headers, bytes);
  }
  return answer.left ? 'aborted' : 'answered';
}

type FakeStream = Extract<FakeBody, { events: string[] }>;

async function answerStream(recorded: FakeStream, behaviour: Behaviour, exchange: Exchange): Promise<Outcome> {
  const { answer } = exchange;
  const events = (behaviour.events?.(recorded.events) ?? recorded.events).map((event) =>
    Buffer.from(event, recorded.encoding),
  );
  const early = await passPlace('before-headers', behaviour, exchange);
  if (early) return early;
  answer.head(200, headersOf(behaviour, recorded.contentType));
  const broken = await passPlace('after-headers', behaviour, exchange);
  if (broken) return broken;
  if (behaviour.encoding === 'gzip') {
    await writePieces(gzipSync(Buffer.concat(events)), behaviour, answer);
  } else if (behaviour.pieces === 'one') {
    await answer.write(Buffer.concat(events));
  } else {
    for (const [index, event] of events.entries()) {
      await writePieces(event, behaviour, answer);
      const midway = await passPlace({ events: index + 1 }, behaviour, exchange);
      if (midway) return midway;
      if (answer.left) return 'aborted';
    }
  }
  const late = await passPlace('end', behaviour, exchange);
  if (late) return late;
  answer.end();
  return answer.left ? 'aborted' : 'answered';
}

/** Stands still or breaks off at `place` where the behaviour says so; the outcome where that was the end. */
async function passPlace(place: Place, behaviour: Behaviour, exchange: Exchange): Promise<Outcome | undefined> {
  const { answer, direction } = exchange;
  if (behaviour.stall && samePlace(behaviour.stall.at, place)) {
    const { ping } = behaviour.stall;
    const timer = ping && setInterval(() => void answer.write(ping.text), ping.everyMs);
    await direction.standStill(answer);
    clearInterval(timer);
    if (answer.left) return 'aborted';
  }
  if (behaviour.break && samePlace(behaviour.break.at, place)) {
    // What was written must reach the peer before the connection breaks; a reset would overtake it.
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (behaviour.break.how === 'reset') answer.reset();
    else if (behaviour.break.how === 'cut') answer.cut();
    else answer.badChunk();
    await answer.gone;
    return 'broken';
  }
  return undefined;
}

function samePlace(wanted: Place, place: Place): boolean {
  if (typeof wanted === 'object' && typeof place === 'object') return wanted.events === place.events;
  return wanted === place;
}

async function writePieces(bytes: Uint8Array, behaviour: Behaviour, answer: WireAnswer): Promise<void> {
  if (behaviour.pieces !== 'byte') return answer.write(bytes);
  for (let at = 0; at < bytes.length && !answer.left; at++) {
    await answer.write(bytes.subarray(at, at + 1));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function headersOf(behaviour: Behaviour, contentType: string): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': behaviour.contentType ?? contentType,
    'x-request-id': 'req_fake0001',
  };
  if (behaviour.encoding) headers['content-encoding'] = behaviour.encoding;
  if (behaviour.fail?.retryAfter !== undefined) headers['retry-after'] = behaviour.fail.retryAfter;
  return headers;
}
