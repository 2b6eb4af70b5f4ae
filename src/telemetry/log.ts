import pino from 'pino';
import { redactText } from '../lib/redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Structured log: an event's name and its fields. Fields never hold prompts, answers or secrets. */
export interface Log {
  debug(event: string, fields?: object): void;
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
  /** Writes out what is buffered; for the end of the process. */
  flush(): void;
}

/**
 * One JSON object per line on standard error, so that standard output stays with the commands. Lines are
 * buffered and written at least every second and at every warning; what a kill takes away is log lines, never
 * ledger rows.
 */
export function createLog(options: { level: LogLevel; destination?: pino.DestinationStream }): Log {
  const buffered =
    options.destination === undefined ? pino.destination({ fd: 2, sync: false, minLength: 8_192 }) : undefined;
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
    },
    options.destination ?? buffered,
  );
  const flush = (): void => buffered?.flushSync();
  if (buffered !== undefined) setInterval(() => buffered.flush(), 1_000).unref();
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
    flush,
  };
}

const MAX_CAUSES = 4;

/** An error as the log shows it: name, message and stack of it and of its causes, redacted and bounded. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) {
    return redactText(typeof error === 'string' ? error : (JSON.stringify(error) ?? String(error)));
  }
  return {
    name: error.name,
    message: redactText(error.message),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(depth === 0 && error.stack !== undefined ? { stack: redactText(error.stack) } : {}),
    ...(error.cause !== undefined && depth < MAX_CAUSES ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}
