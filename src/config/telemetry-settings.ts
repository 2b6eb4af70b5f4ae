import { Secret } from '../lib/secret.ts';
import type { FileConfig } from './schema.ts';

/** Where log lines go. Header values may be credentials. */
export type LogSinkSettings =
  | { type: 'stderr' }
  | { type: 'file'; path: string }
  | { type: 'http'; url: string; headers: Readonly<Record<string, Secret>> }
  | { type: 'elasticsearch'; url: string; index: string; headers: Readonly<Record<string, Secret>> };

export interface TracingSettings {
  otlpUrl: string;
  headers: Readonly<Record<string, Secret>>;
  /** Share of calls that are traced. */
  sample: number;
}

/** What the configuration says of logs and traces. */
export function telemetrySettings(config: FileConfig): { logSinks?: LogSinkSettings[]; tracing?: TracingSettings } {
  const { tracing } = config;
  return {
    ...(config.logging?.sinks !== undefined && { logSinks: config.logging.sinks.map(sinkSettings) }),
    ...(tracing !== undefined && {
      tracing: { otlpUrl: tracing.otlp_url, headers: secretHeaders(tracing.headers), sample: tracing.sample ?? 1 },
    }),
  };
}

type SinkConfig = NonNullable<NonNullable<FileConfig['logging']>['sinks']>[number];

function sinkSettings(sink: SinkConfig): LogSinkSettings {
  switch (sink.type) {
    case 'stderr':
    case 'file':
      return sink;
    case 'http':
      return { type: 'http', url: sink.url, headers: secretHeaders(sink.headers) };
    case 'elasticsearch':
      return { ...sink, index: sink.index ?? 'sekisho', headers: secretHeaders(sink.headers) };
    default:
      return sink satisfies never;
  }
}

function secretHeaders(headers: Readonly<Record<string, string>> | undefined): Record<string, Secret> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, new Secret(value)]));
}
