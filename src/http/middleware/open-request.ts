import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../../lib/clock.ts';
import { SekishoError, type Language } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import type { HttpEnv } from '../http-context.ts';

/** A host and a port. With anything more in it, the server would read a part of the host as the path. */
const HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/;

/**
 * Gives each request its id, its time of arrival and its language, and the answer the id as a header.
 * @throws SekishoError invalid_request for a Host that is none (RFC 9112, 3.2).
 */
export function openRequest(clock: Clock): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    const requestId = newId('req', clock.nowMs());
    context.set('requestId', requestId);
    context.set('startedMs', clock.monotonicMs());
    context.set('language', languageOf(context.req.header('accept-language')));
    const host = context.req.header('host');
    if (host !== undefined && !HOST.test(host)) {
      throw new SekishoError('invalid_request', { values: { problem: 'the header Host is not a host' } });
    }
    await next();
    // The busy routes make their answer with the header on it; adding it to a finished one is dearer.
    if (!context.res.headers.has('x-sekisho-request-id')) context.res.headers.set('x-sekisho-request-id', requestId);
  };
}

/** Japanese where it is asked for before English. */
export function languageOf(acceptLanguage: string | undefined): Language {
  if (acceptLanguage === undefined) return 'en';
  const ja = acceptLanguage.search(/\bja\b/i);
  const en = acceptLanguage.search(/\ben\b/i);
  return ja !== -1 && (en === -1 || ja < en) ? 'ja' : 'en';
}
