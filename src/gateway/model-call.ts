import type { ChatAnswer, EmbeddingAnswer, StreamFrame, WireBody } from '../ports/provider.ts';
import type { ChatRequest } from '../spec/chat.ts';
import type { EmbeddingRequest } from '../spec/embedding.ts';
import type { RequestId } from '../spec/ids.ts';
import type { Micros } from '../spec/money.ts';
import type { Principal } from '../spec/principal.ts';
import type { RerankRequest, RerankResult } from '../spec/rerank.ts';
import type { Route } from '../spec/route.ts';
import type { Wire } from '../spec/wire.ts';

/** Who asks for what on which route; the same for chat and embeddings. */
export interface CallOrigin {
  requestId: RequestId;
  principal: Principal;
  /** The public model name. */
  route: string;
  /** Monotonic time at which the request came in; the start of its overhead. Absent: now. */
  startedMs?: number;
  /** Aborted when whoever asked has left. */
  signal: AbortSignal;
  endUser?: string;
  forwardHeaders?: Readonly<Record<string, string>>;
  /** Tags of the request, beside those of the key. */
  tags?: readonly string[];
  /** Tags of what the answer is made of. They name it in the cache alone: a hundred documents are no tags of a bill. */
  cacheTags?: readonly string[];
  /** What the caller calls its session; a sticky group may keep it on one target. */
  session?: string;
  cache?: CacheWish;
  /** W3C trace context of the caller. */
  traceParent?: string;
}

/** What the caller wants of the cache: take from it, go past it, or have it filled anew. */
export interface CacheWish {
  wish: 'use' | 'bypass' | 'refresh';
  ttlMs?: number;
}

export interface ModelCall extends CallOrigin {
  /** The request in the vocabulary, made when first needed: a pass-through never needs it. */
  request: () => ChatRequest;
  /** The body as it came, where the caller speaks a wire. */
  native?: WireBody;
  stream: boolean;
}

export interface EmbedCall extends CallOrigin {
  /** Tags of each input by itself, in their order: what is kept of one text is forgotten without the others. */
  inputTags?: readonly (readonly string[])[];
  request: EmbeddingRequest;
  native?: WireBody;
}

export interface RerankModelCall extends CallOrigin {
  request: RerankRequest;
}

/** What is known of a call when its answer begins. */
export interface CallFacts {
  requestId: RequestId;
  route: string;
  target: string;
  wire: Wire;
  attempts: number;
  cache: 'hit' | 'miss';
  traceId?: string;
  /** Names and values of the headers that tell what is left of the scarcest limits. */
  limits: readonly (readonly [string, string])[];
  /** Milliseconds of our own work until now: time passed minus time spent waiting for upstreams. */
  overheadMs: () => number;
}

/** Settled facts, known when a whole answer is handed over. */
export interface SettledFacts extends CallFacts {
  /** null where the model has no price. */
  costMicros: Micros | null;
}

export type ModelAnswer =
  | { kind: 'whole'; facts: SettledFacts; answer: ChatAnswer }
  | {
      kind: 'stream';
      facts: CallFacts;
      /** Ends after finish or error; the call is settled, once, before it ends, also when the reader returns early. */
      frames: AsyncIterable<StreamFrame>;
    };

export interface EmbedOutcome {
  facts: SettledFacts;
  answer: EmbeddingAnswer;
}

export interface RerankOutcome {
  facts: SettledFacts;
  answer: RerankResult;
}

/** The one way to a model. HTTP, retrieval, jobs and the command line all come through here. */
export interface ModelGateway {
  chat(call: ModelCall): Promise<ModelAnswer>;
  embed(call: EmbedCall): Promise<EmbedOutcome>;
  rerank(call: RerankModelCall): Promise<RerankOutcome>;
  /** Routes the principal may use. */
  routes(principal: Principal): Route[];
}
