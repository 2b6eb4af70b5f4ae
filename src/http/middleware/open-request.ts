import type { MiddlewareHandler } from 'hono';
import type { Clock } from '../../lib/clock.ts';
import type { Language } from '../../spec/errors.ts';
import { newId } from '../../spec/ids.ts';
import type { HttpEnv } from '../http-context.ts';

/** Gives each request its id, its time of arrival and its language, and the answer the id as a header. */
export function openRequest(clock: Clock): MiddlewareHandler<HttpEnv> {
  return async (context, next) => {
    const requestId = newId('req', clock.nowMs());
    context.set('requestId', requestId);
    context.set('startedMs', clock.monotonicMs());
    context.set('language', languageOf(context.req.header('accept-language')));
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
