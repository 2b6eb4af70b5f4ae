import type { Attributes } from '@opentelemetry/api';
import { redactText } from '../lib/redact.ts';
import type { CallStep, SpanAttributes } from '../ports/call-trace.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { providerName } from './call-handles.ts';

const MAX_TEXT = 256;

/**
 * What a step tells, in the names of OpenTelemetry's conventions for generative AI where there is one
 * (opentelemetry.io/docs/specs/semconv/gen-ai), else under `sekisho.`. Of an address only host and port are kept.
 */
export function stepAttributes(step: CallStep, given: SpanAttributes): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const shown = typeof value === 'string' ? safeText(value) : value;
    if (step === 'attempt' && name === 'model') attributes['gen_ai.request.model'] = shown;
    else if (step === 'attempt' && name === 'wire') attributes['gen_ai.provider.name'] = providerName(String(shown));
    else if (step === 'attempt' && name === 'url') Object.assign(attributes, addressOf(String(value)));
    else attributes[`sekisho.${name}`] = shown;
  }
  return attributes;
}

/** What the ledger says of a call. */
export function settledAttributes(entry: LedgerEntry): Attributes {
  const { usage } = entry;
  return {
    'gen_ai.provider.name': providerName(entry.wire),
    'gen_ai.response.model': safeText(entry.upstreamModel),
    'gen_ai.usage.input_tokens': usage.inputTokens,
    'gen_ai.usage.output_tokens': usage.outputTokens,
    ...(usage.cachedInputTokens > 0 && { 'gen_ai.usage.cache_read.input_tokens': usage.cachedInputTokens }),
    ...(usage.cacheWriteTokens > 0 && { 'gen_ai.usage.cache_creation.input_tokens': usage.cacheWriteTokens }),
    ...(usage.reasoningTokens > 0 && { 'gen_ai.usage.reasoning.output_tokens': usage.reasoningTokens }),
    'sekisho.target': safeText(entry.target),
    'sekisho.outcome': entry.outcome,
    'sekisho.attempts': entry.attempts,
    ...(entry.costMicros !== null && { 'sekisho.cost_usd': entry.costMicros / 1_000_000 }),
    ...(entry.cache !== undefined && { 'sekisho.cache': entry.cache }),
    ...(entry.firstByteMs !== undefined && { 'sekisho.first_byte_ms': entry.firstByteMs }),
  };
}

/** Text that a span may hold: without credentials and control characters, and short. */
export function safeText(text: string): string {
  return redactText(text.slice(0, MAX_TEXT));
}

function addressOf(url: string): Attributes {
  const parsed = URL.parse(url);
  if (parsed === null) return {};
  const usual = parsed.protocol === 'https:' ? 443 : 80;
  return { 'server.address': parsed.hostname, 'server.port': parsed.port === '' ? usual : Number(parsed.port) };
}
