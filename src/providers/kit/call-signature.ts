/** Stands between an id and the signature that travels with it; letters that every wire takes in an id. */
const MARK = '__sig__';
/** Begins a signature that only the wire of its maker can verify. */
const PREFIX = 'gemini:';
/** A longer one is not kept: it would make ids that other software cuts. */
const MAX_SIGNATURE = 16_384;

/**
 * An id of a tool call that carries the signature its vendor wants back with the call. Callers return ids
 * unchanged in every dialect, so that a conversation keeps its signatures without a store.
 */
export function signedCallId(id: string, signature: string | undefined): string {
  if (signature === undefined || signature === '' || signature.length > MAX_SIGNATURE) return id;
  return `${id}${MARK}${Buffer.from(signature, 'base64').toString('base64url')}`;
}

/** The id alone, and the signature (base64) where it carries one. Wires of other vendors send the id alone. */
export function splitCallId(id: string): { id: string; signature?: string } {
  const at = id.indexOf(MARK);
  if (at === -1) return { id };
  const signature = Buffer.from(id.slice(at + MARK.length), 'base64url').toString('base64');
  return { id: id.slice(0, at), ...(signature !== '' && { signature }) };
}

/** A signature of reasoning as it goes to callers: marked, because no other vendor's wire takes it. */
export function markSignature(signature: string): string {
  return PREFIX + signature;
}

/** The signature without its mark; undefined for one of another vendor, which the maker of these would refuse. */
export function unmarkSignature(signature: string | undefined): string | undefined {
  return signature?.startsWith(PREFIX) === true ? signature.slice(PREFIX.length) : undefined;
}
