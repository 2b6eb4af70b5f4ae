import type { Context } from 'hono';
import type { Language } from '../spec/errors.ts';
import type { RequestId } from '../spec/ids.ts';
import type { Principal } from '../spec/principal.ts';

/** What the middleware knows of a request by the time a route handles it. */
export interface HttpVariables {
  requestId: RequestId;
  /** Monotonic time of arrival. */
  startedMs: number;
  language: Language;
  /** Set by `boundBody`: how long the body may take that has not come yet. */
  bodyTimeoutMs: number;
  /** Set by `authenticate`; routes behind it may rely on it. */
  principal: Principal;
}

/** What the server lends to the app. */
export interface HttpBindings {
  /** Lets the connection of a request be silent for as long as its answer takes. */
  keepOpen?: (request: Request) => void;
}

export interface HttpEnv {
  Bindings: HttpBindings;
  Variables: HttpVariables;
}

export type HttpContext = Context<HttpEnv>;
