import type { JsonObject } from '../../lib/json.ts';
import type { ChatRequest, ChatResult, StreamPart } from '../../spec/chat.ts';
import type { Language, SekishoError } from '../../spec/errors.ts';
import type { BodyForm } from '../../spec/wire.ts';

/** What an encoder of answers needs to know of the request. */
export interface EncodeContext {
  /** The model name that the caller used. */
  route: string;
  /** The caller's body, for options such as stream_options. */
  request: JsonObject;
}

/** Turns parts into the text of the dialect's events, in order. */
export interface StreamEncoder {
  encode(part: StreamPart): string;
  /** What ends a stream that went well; called once, after a finish part. */
  end(): string;
  /** What a stream that breaks off says before the error event, in dialects that have more than one word for it. */
  fail?(error: SekishoError, message: string): string;
}

/** How answers are told to callers. */
export interface AnswerDialect {
  encodeResult(result: ChatResult, context: EncodeContext): JsonObject;
  streamEncoder(context: EncodeContext): StreamEncoder;
  /** The event that ends a stream with an error. */
  encodeStreamError(error: SekishoError, language: Language, requestId: string): string;
}

/** One way in which callers speak: what they send, what they get, how they learn of errors. */
export interface ChatDialect extends AnswerDialect {
  /** The form of the caller's body; targets that take it get it as it is. */
  wire: BodyForm;
  /** Cheap judgement of what every call needs: the model's name, whether to stream. @throws invalid_request. */
  check(json: JsonObject): { route: string; stream: boolean; endUser?: string };
  /** The request in the vocabulary. @throws invalid_request with the path of the problem. */
  decode(json: JsonObject): ChatRequest;
  /** The body of an error answer. */
  encodeError(error: SekishoError, language: Language, requestId: string): JsonObject;
}
