import type { JsonObject } from '../lib/json.ts';
import type { ChatRequest, ChatResult, StreamPart } from '../spec/chat.ts';
import type { EmbeddingRequest, EmbeddingResult } from '../spec/embedding.ts';
import type { Usage } from '../spec/usage.ts';
import type { RerankRequest, RerankResult } from '../spec/rerank.ts';
import type { BodyForm, Wire } from '../spec/wire.ts';

/** A body as the caller sent it: text and its parse. */
export interface WireBody {
  wire: BodyForm;
  text: string;
  json: JsonObject;
}

/** What every upstream call carries beside its request. */
export interface CallContext {
  /** The upstream's name of the model. */
  model: string;
  /** The name of the target, for errors. */
  target: string;
  /** Aborted when the caller leaves or a timer fires. */
  signal: AbortSignal;
  /** Headers of the caller that the wire knows and that are safe to forward (`anthropic-beta`). */
  forwardHeaders?: Readonly<Record<string, string>>;
  /** Told of what the wire cannot carry and leaves out. Absent: such a call is refused with unsupported_parameter. */
  onUncarried?: (parameters: readonly string[]) => void;
}

export interface ChatCall extends CallContext {
  /** The request in the vocabulary. A function, because a pass-through never needs it. */
  request: () => ChatRequest;
  /** Present where the caller speaks the target's own wire. */
  native?: WireBody;
}

/** A whole answer. `native` is the upstream's body where its form is the caller's own. */
export interface ChatAnswer {
  usage: Usage;
  native?: { wire: BodyForm; text: string };
  result: () => ChatResult;
}

/**
 * One step of a streamed answer. With `bytes`, they are whole events of the caller's own wire, to be
 * passed on as they are, and `parts` holds only what metering needs (usage, finish, error).
 * Without, `parts` is the whole content.
 */
export interface StreamFrame {
  bytes?: Uint8Array;
  parts: StreamPart[];
}

/** A streamed answer whose first data has arrived. Iterating ends after finish or error; returning early aborts the upstream. */
export interface ChatStream {
  wire: Wire;
  frames: AsyncIterable<StreamFrame>;
  /**
   * Reads passed-through bytes in the vocabulary, run by run, in order: for whoever must know what a stream said.
   * Present where frames carry `bytes`.
   */
  decoder?: () => (bytes: Uint8Array) => StreamPart[];
}

export interface EmbeddingCall extends CallContext {
  request: EmbeddingRequest;
  native?: WireBody;
}

export interface EmbeddingAnswer {
  usage: Usage;
  native?: { wire: Wire; text: string };
  result: () => EmbeddingResult;
}

export interface RerankCall extends CallContext {
  request: RerankRequest;
}

/** How far a model server is with a model that it loads on demand. */
export type ModelState = 'ready' | 'loading' | 'unloaded' | 'unknown';

/** The models of a server that loads them on demand. Both verbs may be repeated. */
export interface ModelRepository {
  state(model: string, signal: AbortSignal): Promise<ModelState>;
  /** Resolves when the model is ready. */
  load(model: string, signal: AbortSignal): Promise<void>;
  unload(model: string, signal: AbortSignal): Promise<void>;
}

/** One configured endpoint that answers model calls. Every failure is thrown as a SekishoError. */
export interface Provider {
  readonly name: string;
  readonly wire: Wire;
  chat?(call: ChatCall): Promise<ChatAnswer>;
  /** Resolves when the first event has arrived; before that, a failure may fall back. */
  streamChat?(call: ChatCall): Promise<ChatStream>;
  /** Tokens of the input, by the upstream's own count; free of charge. */
  countTokens?(call: ChatCall): Promise<number>;
  embed?(call: EmbeddingCall): Promise<EmbeddingAnswer>;
  rerank?(call: RerankCall): Promise<RerankResult>;
  /** Present where the server loads models on demand. */
  readonly repository?: ModelRepository;
  /** A cheap question that shows whether the endpoint answers at all; rejects where it does not. */
  probe?(signal: AbortSignal): Promise<void>;
  /** The models the upstream says it has; used by discovery and doctor. */
  listModels?(signal: AbortSignal): Promise<string[]>;
}
