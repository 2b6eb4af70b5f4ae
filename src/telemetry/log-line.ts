import { redactText } from '../lib/redact.ts';

/** An id of a key as spec/ids makes them: it looks like a credential and is none. */
const KEY_ID = /^key_[0-9a-z]{21}$/;
const MAX_LINE = 64 * 1024;
const MAX_CAUSES = 4;

/** Characters that a JSON string may hold as they are, and that do nothing to a terminal. */
const PLAIN = /^[ !#-[\]-~]*$/;
/** What JSON allows and terminals or editors act on: DEL, C1 controls, line separators, bidirectional overrides. */
// eslint-disable-next-line no-control-regex
const ACTIVE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text as a JSON string in which every control character is escaped. */
export function jsonText(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : escapeActive(JSON.stringify(text));
}

/** Time as the log shows it; the part that stays for a second is made once a second. */
export function createTimeText(): (nowMs: number) => string {
  let second = -1;
  let prefix = '';
  return (nowMs) => {
    const now = Math.floor(nowMs / 1_000);
    if (now !== second) {
      second = now;
      prefix = new Date(now * 1_000).toISOString().slice(0, 20);
    }
    const ms = Math.floor(nowMs - now * 1_000);
    return `${prefix}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
  };
}

/**
 * One line of the log: level, time, the fields, the event's name. Text is redacted and bounded; what cannot be
 * written as JSON is left out and said so.
 */
export function logLine(level: string, time: string, event: string, fields: object): string {
  const head = `{"level":"${level}","time":"${time}"`;
  const tail = `,"msg":${jsonText(event)}}\n`;
  let body: string;
  try {
    body = JSON.stringify(fields, (_, value: unknown) => shown(value));
  } catch {
    body = '{"unreadable":true}';
  }
  if (body.length > MAX_LINE) body = `{"too_long":${body.length}}`;
  return body.length <= 2 ? head + tail : `${head},${escapeActive(body.slice(1, -1))}${tail}`;
}

function shown(value: unknown): unknown {
  if (typeof value === 'string') return KEY_ID.test(value) ? value : redactText(value);
  if (typeof value === 'bigint') return String(value);
  return value instanceof Error ? describeError(value, 0) : value;
}

/** An error as the log shows it: name, message and stack of it and of its causes, bounded in depth. */
function describeError(error: Error, depth: number): object {
  const { cause } = error;
  return {
    name: error.name,
    message: error.message,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(depth === 0 && error.stack !== undefined ? { stack: error.stack } : {}),
    ...(cause !== undefined && depth < MAX_CAUSES
      ? { cause: cause instanceof Error ? describeError(cause, depth + 1) : describeOther(cause) }
      : {}),
  };
}

function describeOther(cause: unknown): string {
  return typeof cause === 'string' ? cause : (JSON.stringify(cause) ?? String(cause));
}

function escapeActive(json: string): string {
  return json.replace(ACTIVE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
