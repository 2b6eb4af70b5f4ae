import { createHash } from 'node:crypto';
import type { IndexRef } from '../../ports/chunk-index.ts';

const LONGEST_PART = 80;

/**
 * The name of the table of one index, which is also the name of its folder: `<tenant>.<collection>.v<version>`.
 * Distinct refs get distinct names on case-insensitive file systems too, and no name can leave the folder:
 * the parts consist of `a-z 0-9 - _` only.
 */
export function tableName(ref: IndexRef): string {
  return `${safePart(ref.tenantId)}.${safePart(ref.collection)}.v${Math.trunc(ref.version)}`;
}

/** Bytes other than `a-z 0-9 -` become `_` and two hex digits; long parts become `_h` and a digest (`h` is no hex digit). */
function safePart(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    out += /[a-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
  }
  return out.length <= LONGEST_PART ? out : `_h${createHash('sha256').update(text).digest('hex').slice(0, 40)}`;
}
