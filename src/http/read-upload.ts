import { parseJson } from '../lib/json.ts';
import type { DocumentAccess } from '../spec/document-access.ts';
import { SekishoError } from '../spec/errors.ts';
import { accessSchema } from './contract/documents.ts';
import type { HttpContext } from './http-context.ts';
import { documentAccessOf } from './new-document.ts';
import { inTime, judge } from './read-body.ts';

/** A form with files, read. */
export interface Upload {
  files: { name: string; bytes: Uint8Array }[];
  /** What is no file and stands there once. */
  fields: Record<string, string>;
}

/**
 * Reads a form with 1 to `maxFiles` files. The size of the body is bounded by the middleware `boundBody` before.
 * @throws SekishoError body_too_slow, invalid_request.
 */
export async function readUpload(context: HttpContext, maxFiles: number): Promise<Upload> {
  const form = await inTime(context, context.req.parseBody({ all: true })).catch((cause: unknown) => {
    if (cause instanceof SekishoError) throw cause;
    const problem = 'the body must be multipart/form-data';
    throw new SekishoError('invalid_request', { values: { problem }, cause });
  });
  const files = Object.values(form)
    .flat()
    .filter((value) => value instanceof File);
  if (files.length === 0 || files.length > maxFiles) {
    const problem = `send 1 to ${maxFiles} files`;
    throw new SekishoError('invalid_request', { values: { problem }, param: 'file' });
  }
  const texts = Object.entries(form).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return {
    files: await Promise.all(
      files.map(async (file) => ({ name: safeName(file.name), bytes: new Uint8Array(await file.arrayBuffer()) })),
    ),
    fields: Object.fromEntries(texts),
  };
}

/**
 * Who may find the documents of the files, out of the field `access`, which is JSON as in `POST /v1/index`.
 * @throws SekishoError invalid_request where it cannot be understood.
 */
export function accessOfForm(fields: Upload['fields']): DocumentAccess | null | undefined {
  const text = fields['access'];
  if (text === undefined) return undefined;
  const access = judge(accessSchema.nullable(), parseJson(text));
  return access === null ? null : documentAccessOf(access);
}

/** A file's name as an id: no parent folders, no control characters, bounded. It never names a place on this disk. */
function safeName(name: string): string {
  const parts = name
    .replaceAll('\\', '/')
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..');
  return (
    parts
      .join('/')
      .replace(/\p{Cc}/gu, '')
      .slice(-400) || 'unnamed'
  );
}
