import type { MiddlewareHandler } from 'hono';
import { SekishoError } from '../../spec/errors.ts';
import type { HttpEnv } from '../http-context.ts';
import { bodyTimeMs, inTime, readBounded } from '../read-body.ts';

export interface BodyBounds {
  maxBytes: number;
  /** What a body may take, beside a second for every 64 KiB of it. */
  timeoutMs: number;
}

/**
 * Bounds the body of every request that has one. A size that is stated is judged by the statement, because the
 * server reads no more than that; a body in chunks is read here, up to the limit. Compressed bodies are not
 * taken: a few bytes of them may stand for gigabytes. How long a body may take is noted for whoever reads it.
 * @throws SekishoError body_too_large, body_too_slow, unsupported_encoding.
 */
export function boundBody({ maxBytes, timeoutMs }: BodyBounds): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    const { method } = context.req;
    if (method === 'GET' || method === 'HEAD') return next();
    const encoding = context.req.header('content-encoding');
    if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
      throw new SekishoError('unsupported_encoding', { values: { encoding: encoding.slice(0, 40) } });
    }
    const stated = context.req.header('content-length');
    if (stated !== undefined) {
      if (Number(stated) > maxBytes) throw new SekishoError('body_too_large', { values: { limit: maxBytes } });
      context.set('bodyTimeoutMs', timeoutMs + bodyTimeMs(Number(stated)));
      return next();
    }
    const { raw } = context.req;
    if (raw.body !== null) {
      context.set('bodyTimeoutMs', timeoutMs);
      let received = 0;
      const reading = readBounded(raw.body, maxBytes, (bytes) => (received = bytes));
      const body = await inTime(context, reading, () => received);
      context.req.raw = new Request(raw.url, { method, headers: raw.headers, body, signal: raw.signal });
    }
    return next();
  };
}
