import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Context, type Span } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Secret } from '../lib/secret.ts';
import type { CallStep, CallTrace, CallTracer, SpanAttributes, StepSpan } from '../ports/call-trace.ts';
import type { SekishoError } from '../spec/errors.ts';
import { OPERATION_NAMES } from './call-handles.ts';
import { safeText, settledAttributes, stepAttributes } from './span-attributes.ts';
import { readTraceParent } from './trace-context.ts';

const MAX_QUEUE = 4_096;
const BATCH = 512;
const EXPORT_TIMEOUT_MS = 10_000;

export interface Tracing {
  tracer: CallTracer;
  /** Sends what waits for up to `limitMs` (2,000) and stops. */
  close(limitMs?: number): Promise<void>;
}

/**
 * Traces of model calls over OTLP. A caller that sends `traceparent` has decided whether its call is traced;
 * of the others the given share is. Spans wait in a bounded queue and go out in batches; what does not fit or
 * does not arrive is counted and gone, and no call ever waits for it. Spans hold no prompts, answers or secrets.
 */
export function createTracing(options: {
  otlpUrl: string;
  headers: Readonly<Record<string, Secret>>;
  /** Share of calls that are traced, 0 to 1. */
  sample: number;
  /** Uniform in [0, 1); draws the lots. */
  random?: () => number;
  /** Milliseconds that spans wait for others. Default 2,000. */
  delayMs?: number;
  onDropped?: (spans: number) => void;
}): Tracing {
  const { random = Math.random, onDropped = () => undefined } = options;
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    resource: resourceFromAttributes({ 'service.name': 'sekisho' }),
    spanLimits: { attributeCountLimit: 64, attributeValueLengthLimit: 1_024, eventCountLimit: 0, linkCountLimit: 0 },
    spanProcessors: [createProcessor({ ...options, onDropped })],
  });
  const spans = provider.getTracer('sekisho');

  return {
    tracer: {
      open: ({ requestId, operation, route, principal, streamed, traceParent }) => {
        const parent = readTraceParent(traceParent);
        if (parent === undefined ? random() >= options.sample : !parent.sampled) return undefined;
        const under: Context =
          parent === undefined
            ? ROOT_CONTEXT
            : trace.setSpanContext(ROOT_CONTEXT, {
                traceId: parent.traceId,
                spanId: parent.spanId,
                traceFlags: TraceFlags.SAMPLED,
                isRemote: true,
              });
        const operationName = OPERATION_NAMES[operation];
        const attributes = {
          'gen_ai.operation.name': operationName,
          'gen_ai.request.model': safeText(route),
          'sekisho.request_id': requestId,
          'sekisho.tenant': principal.tenantId,
          'sekisho.key': principal.keyId,
          ...(principal.team !== undefined && { 'sekisho.team': safeText(principal.team) }),
          'sekisho.streamed': streamed,
        };
        const name = `${operationName} ${safeText(route)}`;
        const root = spans.startSpan(name, { kind: SpanKind.SERVER, attributes }, under);
        return openTrace(root, operationName);
      },
    },
    close: async (limitMs = 2_000) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, limitMs);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), limit]);
      clearTimeout(timer);
    },
  };

  function openTrace(root: Span, operationName: string): CallTrace {
    const within = trace.setSpan(ROOT_CONTEXT, root);
    const { traceId } = root.spanContext();
    const open = new Set<Span>();
    let ended = false;

    function finish(error: SekishoError | undefined): void {
      if (ended) return;
      ended = true;
      for (const span of open) span.end();
      open.clear();
      close(root, error);
    }

    return {
      traceId,
      span: (step, attributes) => {
        const span = spans.startSpan(
          step === 'attempt' ? `${operationName} ${safeText(String(attributes?.['model'] ?? ''))}`.trimEnd() : step,
          { kind: step === 'attempt' ? SpanKind.CLIENT : SpanKind.INTERNAL },
          within,
        );
        if (step === 'attempt') span.setAttribute('gen_ai.operation.name', operationName);
        if (attributes !== undefined) span.setAttributes(stepAttributes(step, attributes));
        open.add(span);
        return stepSpan(span, step, open);
      },
      end: (entry, error) => {
        root.setAttributes(settledAttributes(entry));
        finish(error);
      },
      refuse: finish,
    };
  }
}

function stepSpan(span: Span, step: CallStep, open: Set<Span>): StepSpan {
  const made: StepSpan = {
    set: (attributes: SpanAttributes) => {
      span.setAttributes(stepAttributes(step, attributes));
    },
    end: (error) => {
      if (open.delete(span)) close(span, error);
    },
  };
  if (step === 'attempt') {
    const { traceId, spanId } = span.spanContext();
    made.headers = () => ({ traceparent: `00-${traceId}-${spanId}-01` });
  }
  return made;
}

/** Ends a span. An error goes in by its code: messages may hold what upstreams or callers wrote. */
function close(span: Span, error: SekishoError | undefined): void {
  if (error !== undefined && error.code !== 'caller_left') {
    span.setAttribute('error.type', error.code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.code });
  }
  span.end();
}

/** The batch processor of the SDK, with the spans counted that it would drop in silence. */
function createProcessor(options: {
  otlpUrl: string;
  headers: Readonly<Record<string, Secret>>;
  delayMs?: number;
  onDropped: (spans: number) => void;
}): SpanProcessor {
  let waiting = 0;
  const exporter = new OTLPTraceExporter({
    url: options.otlpUrl,
    headers: Object.fromEntries(Object.entries(options.headers).map(([name, value]) => [name, value.reveal()])),
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const batches = new BatchSpanProcessor({
    exporter: {
      export: (batch, onResult) =>
        exporter.export(batch, (result) => {
          waiting -= batch.length;
          // The codes are an enum of the SDK's core, which this room does not depend on; success has no error.
          if (result.error !== undefined || Number(result.code) !== 0) options.onDropped(batch.length);
          onResult(result);
        }),
      shutdown: () => exporter.shutdown(),
      forceFlush: () => exporter.forceFlush(),
    },
    maxQueueSize: MAX_QUEUE,
    maxExportBatchSize: BATCH,
    scheduledDelayMillis: options.delayMs ?? 2_000,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
  return {
    onStart: () => undefined,
    onEnd: (span) => {
      if (waiting >= MAX_QUEUE) {
        options.onDropped(1);
        return;
      }
      waiting++;
      batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
}
