import { arrayAt, isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonObject } from '../../src/lib/json.ts';

/** A span as a collector got it. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  name: string;
  /** 1 internal, 2 server, 3 client. */
  kind: number;
  attributes: Record<string, string | number | boolean>;
  /** 0 unset, 1 ok, 2 error. */
  status: number;
  startNs: bigint;
  endNs: bigint;
}

export interface OtlpReceiver {
  /** The address for `tracing.otlp_url`. */
  url: string;
  spans: ReceivedSpan[];
  /** Headers of each export, in order. */
  headers: Headers[];
  /** Bodies as they came, to look for what must not be in them. */
  bodies: string[];
  /** What exports are answered from now on; `never` leaves them waiting. */
  answerWith(status: number | 'never'): void;
  stop(): Promise<void>;
}

/** A collector that speaks OTLP over HTTP with JSON bodies (opentelemetry.io/docs/specs/otlp). */
export function startOtlpReceiver(): OtlpReceiver {
  const spans: ReceivedSpan[] = [];
  const headers: Headers[] = [];
  const bodies: string[] = [];
  let answer: number | 'never' = 200;
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const text = await request.text();
      headers.push(request.headers);
      bodies.push(text);
      if (answer === 'never') return new Promise<Response>(() => undefined);
      if (answer === 200) spans.push(...decode(text));
      return Response.json({}, { status: answer });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1/traces`,
    spans,
    headers,
    bodies,
    answerWith: (status) => {
      answer = status;
    },
    stop: () => server.stop(true),
  };
}

function decode(text: string): ReceivedSpan[] {
  const body = parseJson(text);
  if (!isJsonObject(body)) throw new Error('The export was not JSON.');
  return objects(body, 'resourceSpans')
    .flatMap((resource) => objects(resource, 'scopeSpans'))
    .flatMap((scope) => objects(scope, 'spans'))
    .map((span) => ({
      traceId: stringAt(span, 'traceId') ?? '',
      spanId: stringAt(span, 'spanId') ?? '',
      parentSpanId: stringAt(span, 'parentSpanId') ?? '',
      name: stringAt(span, 'name') ?? '',
      kind: numberAt(span, 'kind') ?? 0,
      attributes: Object.fromEntries(
        objects(span, 'attributes').map((pair) => [
          stringAt(pair, 'key') ?? '',
          valueOf(objectAt(pair, 'value') ?? {}),
        ]),
      ),
      status: numberAt(objectAt(span, 'status') ?? {}, 'code') ?? 0,
      startNs: BigInt(stringAt(span, 'startTimeUnixNano') ?? 0),
      endNs: BigInt(stringAt(span, 'endTimeUnixNano') ?? 0),
    }));
}

function valueOf(value: JsonObject): string | number | boolean {
  const integer = value['intValue'];
  if (typeof integer === 'string' || typeof integer === 'number') return Number(integer);
  const flag = value['boolValue'];
  return stringAt(value, 'stringValue') ?? numberAt(value, 'doubleValue') ?? (typeof flag === 'boolean' ? flag : '');
}

function objects(object: JsonObject, key: string): JsonObject[] {
  return arrayAt(object, key).filter(isJsonObject);
}
