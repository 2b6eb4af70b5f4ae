import type { CallStep, CallTrace, SpanAttributes } from '../ports/call-trace.ts';
import { toSekishoError } from '../spec/errors.ts';

export type { CallStep, CallTrace, CallTracer, SpanAttributes, StepSpan } from '../ports/call-trace.ts';

/**
 * Does the work of one step inside a span of its own; without a trace it is the work and nothing else.
 * @throws what the work throws, after the span has ended with it.
 */
export async function traceStep<T>(
  trace: CallTrace | undefined,
  step: { name: CallStep; attributes?: SpanAttributes },
  work: () => Promise<T>,
): Promise<T> {
  if (trace === undefined) return work();
  const span = trace.span(step.name, step.attributes);
  try {
    const value = await work();
    span.end();
    return value;
  } catch (thrown) {
    span.end(toSekishoError(thrown));
    throw thrown;
  }
}
