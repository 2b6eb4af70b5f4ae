import type { CallFacts, SettledFacts } from '../gateway/model-call.ts';
import { dollars } from '../spec/money.ts';
import type { HttpContext } from './http-context.ts';

/**
 * The headers of a model's answer: which request, route, target and trace, whether from the cache, what is left
 * of the limits, our own time, and the cost in dollars where it is known: an unknown price is not a cost of zero.
 */
export function modelHeaders(context: HttpContext, facts: CallFacts | SettledFacts): Record<string, string> {
  const headers: Record<string, string> = {
    'x-sekisho-request-id': context.get('requestId'),
    'x-sekisho-route': headerValue(facts.route),
    'x-sekisho-target': headerValue(facts.target),
    'x-sekisho-cache': facts.cache,
  };
  if (facts.traceId !== undefined) headers['x-sekisho-trace-id'] = facts.traceId;
  for (const [name, value] of facts.limits) headers[name] = value;
  if ('costMicros' in facts && facts.costMicros !== null) headers['x-sekisho-cost-usd'] = dollars(facts.costMicros);
  headers['x-sekisho-overhead-ms'] = facts.overheadMs().toFixed(2);
  return headers;
}

/** A name as a header value: header values are bytes of ISO 8859-1, so anything else is percent-encoded. */
function headerValue(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) ? name : encodeURIComponent(name.toWellFormed());
}
