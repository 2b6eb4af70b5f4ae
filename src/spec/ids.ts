/** Ids are template-literal types, so that an id of one kind is not taken for another. */
export type TenantId = `ten_${string}`;
export type KeyId = `key_${string}`;
export type RequestId = `req_${string}`;
export type ReservationId = `res_${string}`;
export type LedgerId = `led_${string}`;
export type DocumentId = string;
export type CollectionName = string;

const ALPHABET = '0123456789abcdefghijkmnpqrstuvwxyz';
const TIME_LENGTH = 9;
const RANDOM_PAIRS = 6;

/**
 * Makes ids that sort by time: prefix, 9 characters of time, 12 random characters.
 * The alphabet has no look-alike letters (l, o).
 */
export function newId<P extends string>(prefix: P, nowMs: number = Date.now()): `${P}_${string}` {
  let random = '';
  for (let i = 0; i < RANDOM_PAIRS; i++) random += PAIRS[randomWord() % PAIRS.length] ?? '';
  return `${prefix}_${timeOf(nowMs)}${random}`;
}

/** All pairs of letters: an id is put together of six of them. */
const PAIRS: readonly string[] = [...ALPHABET].flatMap((first) => [...ALPHABET].map((second) => first + second));

let knownMs = -1;
let knownTime = '';

/** The time in letters; the ids of one millisecond share it. */
function timeOf(nowMs: number): string {
  if (nowMs === knownMs) return knownTime;
  let time = '';
  for (let rest = nowMs, i = 0; i < TIME_LENGTH; i++) {
    time = ALPHABET.charAt(rest % ALPHABET.length) + time;
    rest = Math.floor(rest / ALPHABET.length);
  }
  knownMs = nowMs;
  knownTime = time;
  return time;
}

/** The tenant that exists from the first start; a single-tenant installation never sees another. */
export const DEFAULT_TENANT: TenantId = 'ten_default';

/** Random words are drawn by the page: asking the system for each id costs more than all the rest. */
const page = new Uint16Array(4_096);
let used = page.length;

function randomWord(): number {
  if (used >= page.length) {
    crypto.getRandomValues(page);
    used = 0;
  }
  return page[used++] ?? 0;
}
