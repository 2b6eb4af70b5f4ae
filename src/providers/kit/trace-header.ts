/** The header that tells an upstream of the trace, where the call has one (w3.org/TR/trace-context). */
export function traceHeader(call: { forwardHeaders?: Readonly<Record<string, string>> }): { traceparent?: string } {
  const traceparent = call.forwardHeaders?.['traceparent'];
  return traceparent === undefined ? {} : { traceparent };
}
