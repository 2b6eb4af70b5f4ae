/** Ids are template-literal types, so that an id of one kind is not taken for another. */
export type TenantId = `ten_${string}`;
export type KeyId = `key_${string}`;
export type RequestId = `req_${string}`;
export type ReservationId = `res_${string}`;
export type LedgerId = `led_${string}`;
export type DocumentId = string;
export type CollectionName = string;

const ALPHABET = '0123456789abcdefghijkmnpqrstuvwxyz';

/**
 * Makes ids that sort by time: prefix, 9 characters of time, 12 random characters.
 * The alphabet has no look-alike letters (l, o).
 */
export function newId<P extends string>(prefix: P, nowMs: number = Date.now()): `${P}_${string}` {
  let time = '';
  for (let rest = nowMs, i = 0; i < 9; i++) {
    time = ALPHABET.charAt(rest % ALPHABET.length) + time;
    rest = Math.floor(rest / ALPHABET.length);
  }
  let random = '';
  for (let i = 0; i < 12; i++) random += ALPHABET.charAt(randomByte() % ALPHABET.length);
  return `${prefix}_${time}${random}`;
}

/** The tenant that exists from the first start; a single-tenant installation never sees another. */
export const DEFAULT_TENANT: TenantId = 'ten_default';

/** Random bytes are drawn by the page: asking the system for twelve at a time costs more than all the rest. */
const page = new Uint8Array(4_096);
let used = page.length;

function randomByte(): number {
  if (used >= page.length) {
    crypto.getRandomValues(page);
    used = 0;
  }
  return page[used++] ?? 0;
}
