import type { z } from 'zod';
import { isJsonObject, parseJson, type JsonObject } from '../lib/json.ts';
import { SekishoError } from '../spec/errors.ts';
import type { HttpContext } from './http-context.ts';

/** A JSON body: as it came, and parsed. */
export interface JsonBody {
  text: string;
  json: JsonObject;
}

/**
 * Reads a JSON object. The server bounds the size of a body before this runs.
 * @throws SekishoError invalid_json, invalid_request where the body is JSON but no object.
 */
export async function readJson(context: HttpContext): Promise<JsonBody> {
  const text = await context.req.text();
  const json = parseJson(text);
  if (json === undefined) throw new SekishoError('invalid_json');
  if (!isJsonObject(json)) {
    throw new SekishoError('invalid_request', { values: { problem: 'the body must be a JSON object' } });
  }
  return { text, json };
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
