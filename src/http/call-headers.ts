import type { CacheWish, CallOrigin } from '../gateway/model-call.ts';
import { wrong } from './dialects/read-request.ts';
import type { HttpContext } from './http-context.ts';

const MAX_TAGS = 20;
const MAX_TAG_LENGTH = 128;
const MAX_SESSION_LENGTH = 256;
const MAX_TTL_S = 30 * 24 * 3_600;
const WISHES: ReadonlySet<string> = new Set(['use', 'bypass', 'refresh'] satisfies CacheWish['wish'][]);
const TRACE_PARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,200})?$/;

/** Headers of the caller that belong to an upstream's dialect and carry no credential. */
const FORWARDED = ['anthropic-beta', 'anthropic-version', 'openai-beta'];

/**
 * What every model route knows of its caller: who, when, until when, and what the headers ask for.
 * `x-sekisho-tags` is a list with commas; `x-sekisho-session` names a session; `x-sekisho-cache` is `use`,
 * `bypass` or `refresh`; `x-sekisho-cache-ttl` counts seconds. Letters outside ASCII are percent-encoded.
 * A `traceparent` that is none is passed over, as W3C Trace Context wants it.
 * @throws SekishoError invalid_request for a header that is not as it should be.
 */
export function callHeaders(context: HttpContext): Omit<CallOrigin, 'route' | 'endUser'> {
  const tags = context.req.header('x-sekisho-tags');
  const session = context.req.header('x-sekisho-session');
  const traceParent = context.req.header('traceparent');
  const cache = cacheWish(context.req.header('x-sekisho-cache'), context.req.header('x-sekisho-cache-ttl'));
  const forwardHeaders = forwarded(context);
  return {
    requestId: context.get('requestId'),
    principal: context.get('principal'),
    startedMs: context.get('startedMs'),
    signal: context.req.raw.signal,
    ...(forwardHeaders !== undefined && { forwardHeaders }),
    ...(tags !== undefined && { tags: tagsOf(tags) }),
    ...(session !== undefined && { session: sessionOf(session) }),
    ...(cache !== undefined && { cache }),
    ...(traceParent !== undefined && TRACE_PARENT.test(traceParent) && { traceParent }),
  };
}

function tagsOf(header: string): string[] {
  if (header.length > MAX_TAGS * (MAX_TAG_LENGTH + 2)) throw wrong('x-sekisho-tags', 'is too long');
  const tags = header.split(',').flatMap((tag) => plainText(tag.trim(), 'x-sekisho-tags') || []);
  if (tags.length > MAX_TAGS) throw wrong('x-sekisho-tags', `more than ${MAX_TAGS} tags`);
  if (tags.some((tag) => tag.length > MAX_TAG_LENGTH)) {
    throw wrong('x-sekisho-tags', `a tag is longer than ${MAX_TAG_LENGTH} characters`);
  }
  return [...new Set(tags)];
}

function sessionOf(header: string): string {
  const session = plainText(header.trim(), 'x-sekisho-session');
  if (session === '' || session.length > MAX_SESSION_LENGTH) {
    throw wrong('x-sekisho-session', `must have 1 to ${MAX_SESSION_LENGTH} characters`);
  }
  return session;
}

function cacheWish(wish: string | undefined, ttl: string | undefined): CacheWish | undefined {
  if (wish === undefined && ttl === undefined) return undefined;
  if (wish !== undefined && !isWish(wish)) throw wrong('x-sekisho-cache', 'must be use, bypass or refresh');
  if (ttl === undefined) return { wish: wish ?? 'use' };
  const seconds = /^\d{1,9}$/.test(ttl) ? Number(ttl) : 0;
  if (seconds < 1 || seconds > MAX_TTL_S) {
    throw wrong('x-sekisho-cache-ttl', `must be a whole number of seconds from 1 to ${MAX_TTL_S}`);
  }
  return { wish: wish ?? 'use', ttlMs: seconds * 1_000 };
}

function isWish(wish: string): wish is CacheWish['wish'] {
  return WISHES.has(wish);
}

/** Headers are bytes of ISO 8859-1, so that other letters come percent-encoded. */
export function plainText(value: string, header: string): string {
  if (/[^\x20-\x7e]/.test(value)) throw wrong(header, 'letters outside ASCII must be percent-encoded');
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    throw wrong(header, 'is not percent-encoded UTF-8');
  }
}

function forwarded(context: HttpContext): Record<string, string> | undefined {
  let headers: Record<string, string> | undefined;
  for (const name of FORWARDED) {
    const value = context.req.header(name);
    if (value !== undefined && value.length <= 1_000) (headers ??= {})[name] = value;
  }
  return headers;
}
