import type { MiddlewareHandler } from 'hono';
import { SekishoError } from '../../spec/errors.ts';
import type { HttpEnv } from '../http-context.ts';
import { readBounded } from '../read-body.ts';

/**
 * Bounds the body of every request that has one. A size that is stated is judged by the statement, because the
 * server reads no more than that; a body in chunks is read here, up to the limit. Compressed bodies are not
 * taken: a few bytes of them may stand for gigabytes.
 * @throws SekishoError body_too_large, unsupported_encoding.
 */
export function boundBody(maxBytes: number): MiddlewareHandler<HttpEnv> {
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
      return next();
    }
    const { raw } = context.req;
    if (raw.body !== null) {
      const body = await readBounded(raw.body, maxBytes);
      context.req.raw = new Request(raw.url, { method, headers: raw.headers, body, signal: raw.signal });
    }
    return next();
  };
}
