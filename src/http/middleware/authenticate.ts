import type { MiddlewareHandler } from 'hono';
import type { Keys } from '../../access/keys.ts';
import { SekishoError } from '../../spec/errors.ts';
import { actingByHeader } from '../acting-as.ts';
import type { HttpEnv } from '../http-context.ts';

const MAX_KEY_LENGTH = 256;

/**
 * Turns the key of a request into its principal, or into whoever it acts for. The OpenAI SDKs send it as a bearer token, Anthropic's as
 * x-api-key.
 */
export function authenticate(keys: Keys): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    const bearer = /^Bearer\s+(\S+)$/i.exec(context.req.header('authorization') ?? '')?.[1];
    const key = bearer ?? context.req.header('x-api-key');
    if (key === undefined || key === '') throw new SekishoError('missing_key');
    if (key.length > MAX_KEY_LENGTH) throw new SekishoError('invalid_key');
    context.set('principal', actingByHeader(context, await keys.authenticate(key)));
    // A model may be silent for minutes; whoever has no key is given no such time.
    context.env.keepOpen?.(context.req.raw);
    await next();
  };
}
