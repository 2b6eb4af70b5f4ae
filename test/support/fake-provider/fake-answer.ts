import type { JsonObject } from '../../../src/lib/json.ts';
import type { AnswerName } from './behaviour.ts';
import type { WireRequest } from './http-listener.ts';

/** A request as a wire's module sees it. */
export interface FakeRequest extends WireRequest {
  json: JsonObject;
}

/** What a healthy upstream sends: a body, or a stream whose events go out one by one. */
export type FakeBody =
  | { body: string }
  /** `latin1`: each character of an event is a byte, for wires that do not stream text. */
  | { events: string[]; contentType: string; encoding: 'utf8' | 'latin1' };

/** How one wire answers one request. */
export interface FakeAnswer {
  /** The model that the request names, wherever the wire puts it. */
  model: string;
  /** `name`: the recorded answer that the test wants; absent, the request decides. */
  healthy(name: AnswerName | undefined): FakeBody;
  /** The error body of the wire. */
  failure(status: number): { body: string; headers?: Record<string, string> };
}

/** The answer of a wire to a request of its own; undefined for others. */
export type FakeWireModule = (request: FakeRequest) => FakeAnswer | undefined;
