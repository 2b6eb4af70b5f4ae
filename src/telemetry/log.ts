import { systemClock, type Clock } from '../lib/clock.ts';
import type { Secret } from '../lib/secret.ts';
import { systemSleep, type Sleep } from '../lib/sleep.ts';
import { createLineBuffer, type Deliver, type LineBuffer } from './line-buffer.ts';
import { createTimeText, logLine } from './log-line.ts';
import { deliverToDescriptor } from './sinks/descriptor-sink.ts';
import { deliverToElasticsearch } from './sinks/elasticsearch-sink.ts';
import { deliverToFile } from './sinks/file-sink.ts';
import { deliverOverHttp } from './sinks/http-sink.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LEVELS)[number];

/** Where log lines go. Header values may be credentials. */
export type LogSink =
  | { type: 'stderr' }
  | { type: 'file'; path: string }
  | { type: 'http'; url: string; headers: Readonly<Record<string, Secret>> }
  | { type: 'elasticsearch'; url: string; index: string; headers: Readonly<Record<string, Secret>> };

/**
 * Structured log: an event's name and its fields, one JSON object per line. Fields never hold prompts, answers
 * or secrets; what looks like a credential is redacted all the same. No verb but `close` waits for anything.
 */
export interface Log {
  debug(event: string, fields?: object): void;
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
  /** Whether lines of a level are written: for lines that cost something to make. */
  writes(level: 'debug' | 'info' | 'warn' | 'error'): boolean;
  /** A line made by its caller: a JSON object with level and time first, and a line feed. */
  line(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /** The time of now as lines show it. */
  timeText(): string;
  /** Lines lost since the start, by the type of sink: dropped from a full buffer, refused, or left at the end. */
  dropped(): ReadonlyMap<LogSink['type'], number>;
  /** Delivers what waits in every sink for up to `limitMs` (2,000) and stops. */
  close(limitMs?: number): Promise<void>;
}

const STDERR = 2;
const TROUBLE_EVERY_MS = 60_000;
const MEBIBYTE = 1024 * 1024;

interface OpenSink {
  type: LogSink['type'];
  buffer: LineBuffer;
  close?: () => Promise<void>;
}

/**
 * The log of the process. Each sink has a bounded buffer of its own, so that one that is slow or gone holds up
 * neither calls nor the other sinks; a sink in trouble is told of on standard error at most once a minute.
 */
export function createLog(options: {
  level: LogLevel;
  /** Absent: standard error. */
  sinks?: readonly LogSink[];
  /** Stands for standard error in tests. */
  stderr?: Deliver;
  clock?: Clock;
  sleep?: Sleep;
  random?: () => number;
  /** Credentials in use, which no line may hold, whatever an upstream echoes and however it looks. */
  secrets?: () => readonly string[];
  /** Milliseconds that a line waits for others at most. Default 1,000. */
  waitMs?: number;
}): Log {
  const {
    clock = systemClock,
    sleep = systemSleep,
    random = Math.random,
    waitMs = 1_000,
    secrets = () => [],
  } = options;
  const least = LEVELS.indexOf(options.level);
  const stderr = options.stderr ?? deliverToDescriptor(STDERR);
  const time = createTimeText();
  const sinks = (options.sinks ?? [{ type: 'stderr' }]).map((sink) => openSink(sink));

  function openSink(sink: LogSink): OpenSink {
    const far = sink.type === 'http' || sink.type === 'elasticsearch';
    const { deliver, close } = deliveryOf(sink, stderr);
    let toldMs = -Infinity;
    const buffer = createLineBuffer({
      deliver,
      maxLines: 20_000,
      maxBytes: 16 * MEBIBYTE,
      batchLines: 1_000,
      batchBytes: MEBIBYTE,
      hurryBytes: far ? 128 * 1024 : 64 * 1024,
      waitMs,
      sleep,
      random,
      onTrouble: (error) => {
        if (sink.type === 'stderr' || clock.monotonicMs() - toldMs < TROUBLE_EVERY_MS) return;
        toldMs = clock.monotonicMs();
        void tellTrouble(sink.type, error);
      },
    });
    return { type: sink.type, buffer, ...(close && { close }) };
  }

  /** Past the buffers: trouble of the log must not become more of it. */
  async function tellTrouble(sink: LogSink['type'], error: unknown): Promise<void> {
    const text = logLine('warn', time(clock.nowMs()), 'log_sink_failed', { sink, error });
    await stderr([text], new AbortController().signal).catch(() => undefined);
  }

  function line(level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    for (const { buffer } of sinks) {
      buffer.push(text);
      if (level === 'warn' || level === 'error') buffer.hurry();
    }
  }

  const writes = (level: 'debug' | 'info' | 'warn' | 'error'): boolean => LEVELS.indexOf(level) >= least;
  const timeText = (): string => time(clock.nowMs());
  const event =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (name: string, fields: object = {}) => {
      if (writes(level)) line(level, veiled(logLine(level, timeText(), name, fields), secrets()));
    };

  return {
    debug: event('debug'),
    info: event('info'),
    warn: event('warn'),
    error: event('error'),
    writes,
    line: (level, text) => {
      if (writes(level)) line(level, text);
    },
    timeText,
    dropped: () => {
      const lost = new Map<LogSink['type'], number>();
      for (const { type, buffer } of sinks) lost.set(type, (lost.get(type) ?? 0) + buffer.dropped());
      return lost;
    },
    close: async (limitMs = 2_000) => {
      await Promise.all(
        sinks.map(async ({ buffer, close }) => {
          await buffer.close(limitMs);
          await close?.().catch(() => undefined);
        }),
      );
    },
  };
}

/** The line without the secrets, as they stand in JSON. */
function veiled(text: string, secrets: readonly string[]): string {
  let safe = text;
  for (const secret of secrets) safe = safe.replaceAll(JSON.stringify(secret).slice(1, -1), '[secret]');
  return safe;
}

function deliveryOf(sink: LogSink, stderr: Deliver): { deliver: Deliver; close?: () => Promise<void> } {
  switch (sink.type) {
    case 'stderr':
      return { deliver: stderr };
    case 'file':
      return deliverToFile(sink.path);
    case 'http':
      return { deliver: deliverOverHttp(sink) };
    case 'elasticsearch':
      return { deliver: deliverToElasticsearch(sink) };
    default:
      return sink satisfies never;
  }
}
