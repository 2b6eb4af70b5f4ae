import { describe, expect, test } from 'bun:test';
import { SekishoError } from '../spec/errors.ts';
import type { LedgerEntry } from '../spec/ledger.ts';
import { noUsage } from '../spec/usage.ts';
import { createLog } from './log.ts';
import { createTelemetry } from './telemetry.ts';

function stage() {
  const lines: string[] = [];
  const log = createLog({
    level: 'debug',
    stderr: (batch) => {
      lines.push(...batch);
      return Promise.resolve({ again: [], lost: 0 });
    },
  });
  return { telemetry: createTelemetry(log), log, lines };
}

function entry(given: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    id: 'led_1',
    requestId: 'req_1',
    tenantId: 'ten_a',
    keyId: 'key_a',
    atMs: 0,
    operation: 'chat',
    route: 'fast',
    target: 'up/gpt',
    wire: 'openai',
    upstreamModel: 'gpt',
    usage: { ...noUsage('reported'), inputTokens: 100, outputTokens: 10 },
    costMicros: 2_000_000,
    outcome: 'ok',
    attempts: 1,
    streamed: false,
    durationMs: 40,
    ...given,
  };
}

describe('the metrics of calls', () => {
  test('count, sum and spread as Prometheus reads them', async () => {
    const { telemetry } = stage();
    telemetry.modelCallSettled(entry(), 0.2, undefined);
    telemetry.modelCallSettled(entry({ durationMs: 600, firstByteMs: 30 }), 0.2, undefined);
    telemetry.modelCallSettled(
      entry({ costMicros: null, outcome: 'error', errorCode: 'upstream_timeout' }),
      3,
      new SekishoError('upstream_timeout', { values: { target: 'up/gpt' } }),
    );
    const text = await telemetry.metricsText();
    for (const line of [
      'llm_requests_total{route="fast",target="up/gpt",outcome="ok"} 2',
      'llm_requests_total{route="fast",target="up/gpt",outcome="error"} 1',
      'llm_latency_seconds_bucket{le="0.025",route="fast",target="up/gpt"} 0',
      'llm_latency_seconds_bucket{le="0.05",route="fast",target="up/gpt"} 2',
      'llm_latency_seconds_bucket{le="1",route="fast",target="up/gpt"} 3',
      'llm_latency_seconds_bucket{le="+Inf",route="fast",target="up/gpt"} 3',
      'llm_latency_seconds_count{route="fast",target="up/gpt"} 3',
      'llm_tokens_used_total{route="fast",target="up/gpt",type="input"} 300',
      'llm_cost_dollars_total{route="fast",target="up/gpt"} 4',
      'llm_unpriced_requests_total{target="up/gpt"} 1',
      'sekisho_overhead_seconds_count 3',
      'gen_ai_server_time_to_first_token_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt"} 1',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect(text).toMatch(/llm_latency_seconds_sum\{[^}]*\} 0\.68/);
    expect(text).toMatch(/request_duration_seconds_count\{[^}]*error_type="upstream_timeout"\} 1/);
  });

  test('X4: made-up routes, targets and models do not make series without end', async () => {
    const { telemetry } = stage();
    const settle = (count: number) => {
      for (let i = 0; i < count; i++) {
        const name = `made-up-${Math.random()}`;
        telemetry.modelCallSettled(entry({ route: name, target: `up/${name}`, upstreamModel: name }), 0, undefined);
        telemetry.breakerChanged({ target: name, state: 'closed' });
        telemetry.discoveryFailed({ provider: name, error: new Error('no') });
      }
    };
    settle(1_500);
    const before = (await telemetry.metricsText()).split('\n').length;
    settle(1_500);
    const text = await telemetry.metricsText();
    expect(text.split('\n')).toHaveLength(before);
    expect(text).toContain('llm_requests_total{route="other",target="other",outcome="ok"}');
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(new Set(series.map((line) => line.slice(0, line.lastIndexOf(' ')))).size).toBe(series.length);
  });

  test('a value at the bound of a bucket is in it', async () => {
    const { telemetry } = stage();
    telemetry.modelCallSettled(entry({ durationMs: 50 }), 0, undefined);
    expect(await telemetry.metricsText()).toContain('latency_seconds_bucket{le="0.05",route="fast",target="up/gpt"} 1');
  });

  test('X4: many targets on each of many routes do not multiply without end', async () => {
    const { telemetry } = stage();
    for (let i = 0; i < 60 * 60; i++) {
      telemetry.modelCallSettled(entry({ route: `r${i % 60}`, target: `t${Math.floor(i / 60)}` }), 0, undefined);
    }
    const text = await telemetry.metricsText();
    const series = text.split('\n').filter((line) => line.startsWith('llm_latency_seconds_count'));
    expect(series.length).toBeLessThanOrEqual(1_001);
    const calls = series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    expect(calls).toBe(3_600);
  });

  test('the same route for chat and embeddings is counted together and told apart by operation', async () => {
    const { telemetry } = stage();
    telemetry.modelCallSettled(entry(), 0, undefined);
    telemetry.modelCallSettled(entry({ operation: 'embedding' }), 0, undefined);
    const text = await telemetry.metricsText();
    expect(text).toContain('llm_requests_total{route="fast",target="up/gpt",outcome="ok"} 2');
    expect(text).toMatch(/gen_ai_server_request_duration_seconds_count\{gen_ai_operation_name="embeddings"[^}]*\} 1/);
  });
});

describe('the events', () => {
  test('each counts under its labels and writes a line without secrets', async () => {
    const { telemetry, log, lines } = stage();
    const key = 'sk-live-abcdefghijklmnop';
    const error = new Error(`connect redis://:x@host Bearer ${key}`);
    telemetry.cacheLooked({ kind: 'exact', level: 'memory', outcome: 'hit' });
    telemetry.cacheLooked({ kind: 'exact', level: 'memory', outcome: 'hit' });
    telemetry.breakerChanged({ target: 'up/gpt', state: 'open', reason: '60% of 20 calls failed' });
    telemetry.limitRefused({ requestId: 'req_1', scope: 'team', id: 'search', measure: 'tokens' });
    telemetry.limitShadowed({ requestId: 'req_1', scope: 'user', id: 'ann', measure: 'cost' });
    telemetry.modelCallSettled(entry({ target: 'up/gpt', attempts: 2 }), 0, undefined);
    telemetry.hedged({ requestId: 'req_1', route: 'fast', target: 'up/gpt' });
    telemetry.embedBatched({ target: 'up/embed', calls: 5, inputs: 9 });
    telemetry.storeDown({ store: 'redis', error });
    telemetry.storeDown({ store: 'redis', error });
    telemetry.uncarriedDropped({ requestId: 'req_1', target: 'up/gpt', parameters: ['seed', 'top_k'] });
    telemetry.discoveryFailed({ provider: 'my-vllm', error });
    telemetry.attemptFailed('req_1', 'up/gpt', new SekishoError('internal', { cause: error }));
    const text = (await telemetry.metricsText()).split('\n');
    for (const line of [
      'sekisho_cache_events_total{kind="exact",level="memory",outcome="hit"} 2',
      'sekisho_breaker_state{target="up/gpt"} 2',
      'sekisho_limit_refusals_total{scope="team",measure="tokens"} 1',
      'sekisho_limit_shadow_refusals_total{scope="user",measure="cost"} 1',
      'sekisho_retries_total{target="up/gpt"} 1',
      'sekisho_hedges_total{route="fast"} 1',
      'sekisho_embedding_batch_calls_bucket{le="4"} 0',
      'sekisho_embedding_batch_calls_bucket{le="8"} 1',
      'sekisho_store_failures_total{store="redis"} 2',
      'sekisho_uncarried_parameters_total{target="up/gpt"} 2',
      'sekisho_discovery_failures_total{provider="my-vllm"} 1',
      'sekisho_log_lines_dropped_total{sink="stderr"} 0',
    ]) {
      expect(text).toContain(line);
    }
    await log.close();
    const told = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
    expect(told.filter((msg) => msg === 'store_down')).toHaveLength(1);
    for (const msg of ['breaker_changed', 'limit_refused', 'limit_shadowed', 'uncarried_dropped', 'attempt_failed']) {
      expect(told).toContain(msg);
    }
    expect(lines.join('') + text.join('\n')).not.toContain('abcdefghijklmnop');
  });
});
