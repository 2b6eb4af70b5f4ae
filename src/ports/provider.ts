import type { JsonObject } from '../lib/json.ts';
import type { ChatRequest, ChatResult, StreamPart } from '../spec/chat.ts';
import type { EmbeddingRequest, EmbeddingResult } from '../spec/embedding.ts';
import type { Usage } from '../spec/usage.ts';
import type { Wire } from '../spec/wire.ts';

/** A body as the caller sent it: text and its parse. */
export interface WireBody {
  wire: Wire;
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
}

export interface ChatCall extends CallContext {
  /** The request in the vocabulary. A function, because a pass-through never needs it. */
  request: () => ChatRequest;
  /** Present where the caller speaks the target's own wire. */
  native?: WireBody;
}

/** A whole answer. `native` is the upstream's body where the wire is the caller's own. */
export interface ChatAnswer {
  usage: Usage;
  native?: { wire: Wire; text: string };
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

/** One configured endpoint that answers model calls. Every failure is thrown as a SekishoError. */
export interface Provider {
  readonly name: string;
  readonly wire: Wire;
  chat?(call: ChatCall): Promise<ChatAnswer>;
  /** Resolves when the first event has arrived; before that, a failure may fall back. */
  streamChat?(call: ChatCall): Promise<ChatStream>;
  embed?(call: EmbeddingCall): Promise<EmbeddingAnswer>;
  /** The models the upstream says it has; used by discovery and doctor. */
  listModels?(signal: AbortSignal): Promise<string[]>;
}
