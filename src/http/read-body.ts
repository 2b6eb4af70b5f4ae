import type { z } from 'zod';
import { isJsonObject, parseJson, type JsonObject } from '../lib/json.ts';
import { jsonExcess } from '../lib/json-size.ts';
import { SekishoError } from '../spec/errors.ts';
import type { HttpContext } from './http-context.ts';

/** A JSON body: as it came, and parsed. */
export interface JsonBody {
  text: string;
  json: JsonObject;
}

/** Bounds of a JSON body beside its size in bytes: deeper ones end stacks, ones of more pieces hold up everybody. */
const JSON_LIMITS = { depth: 128, pieces: 250_000 };

/**
 * Reads a JSON object. The size of a body is bounded by the middleware `boundBody` before this runs.
 * @throws SekishoError body_too_slow, invalid_json, invalid_request where the body is JSON but no object, or nests or counts
 * beyond all use.
 */
export async function readJson(context: HttpContext): Promise<JsonBody> {
  const text = await inTime(context, context.req.text());
  const excess = jsonExcess(text, JSON_LIMITS);
  if (excess !== undefined) {
    const problem =
      excess === 'depth'
        ? `the body nests deeper than ${JSON_LIMITS.depth} levels`
        : 'the body has too many fields and values';
    throw new SekishoError('invalid_request', { values: { problem } });
  }
  const json = parseJson(text);
  if (json === undefined) throw new SekishoError('invalid_json');
  if (!isJsonObject(json)) {
    throw new SekishoError('invalid_request', { values: { problem: 'the body must be a JSON object' } });
  }
  return { text, json };
}

/**
 * The outcome of reading a body, where it comes in the time that `boundBody` gave it. A body whose size nobody
 * stated earns its time as it comes.
 * @throws SekishoError body_too_slow; the connection ends with the answer, and with it what is left of the body.
 */
export async function inTime<T>(
  context: HttpContext,
  reading: Promise<T>,
  receivedBytes: () => number = () => 0,
): Promise<T> {
  const timeoutMs = context.get('bodyTimeoutMs');
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    let allowedMs = timeoutMs;
    const judge = (): void => {
      const nowMs = timeoutMs + bodyTimeMs(receivedBytes());
      if (nowMs > allowedMs) {
        timer = setTimeout(judge, nowMs - allowedMs);
        allowedMs = nowMs;
        return;
      }
      const seconds = Math.ceil(allowedMs / 1_000);
      reject(new SekishoError('body_too_slow', { values: { seconds }, headers: [['connection', 'close']] }));
    };
    timer = setTimeout(judge, timeoutMs);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A second for every 64 KiB: what the slowest of lines in use still carries. */
export function bodyTimeMs(bytes: number): number {
  return bytes / 65.536;
}

/** Reads a JSON body and judges it by a schema; the first problem is reported with its path. */
export async function readValid<S extends z.ZodType>(context: HttpContext, schema: S): Promise<z.infer<S>> {
  return judge(schema, (await readJson(context)).json);
}

/** Judges a value by a schema. @throws SekishoError invalid_request with the path of the first problem. */
export function judge<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const judged = schema.safeParse(value);
  if (judged.success) return judged.data;
  const issue = judged.error.issues[0];
  const param = issue?.path.join('.') ?? '';
  const problem = `${param === '' ? 'body' : param}: ${issue?.message ?? 'not valid'}`;
  throw new SekishoError('invalid_request', { values: { problem }, ...(param !== '' && { param }) });
}

/**
 * Reads a body whose size nobody stated, up to a limit.
 * @throws SekishoError body_too_large as soon as it is larger; what is left of it is not read.
 */
export async function readBounded(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  onChunk?: (bytes: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new SekishoError('body_too_large', { values: { limit: maxBytes } });
    chunks.push(chunk);
    onChunk?.(bytes);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
