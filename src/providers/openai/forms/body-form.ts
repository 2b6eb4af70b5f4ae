import type { JsonObject } from '../../../lib/json.ts';
import type { ChatResult } from '../../../spec/chat.ts';
import type { BodyForm } from '../../../spec/wire.ts';
import type { EventDecoder } from '../../kit/decoding-reader.ts';
import type { PassingWire } from '../../kit/passing-reader.ts';

/** One form of body that endpoints of this wire take, as far as a body that is passed through must be understood. */
export interface PassedForm {
  form: BodyForm;
  /** Behind the version of the address. */
  path: string;
  /** Whether a stream tells usage only to those who ask for it with `stream_options`. */
  asksForUsage: boolean;
  /** Whether a body is an answer; what is none, although it came with status 200, is an error. */
  isAnswer(body: JsonObject): boolean;
  decode(body: JsonObject): ChatResult;
  /** What metering looks for in a stream that answers this request. */
  passing(target: string, request: JsonObject): PassingWire;
  decoder(target: string): EventDecoder;
}
