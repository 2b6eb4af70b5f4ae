import { Hono } from 'hono';
import type { Ledger, LedgerPeriod } from '../../gateway/ledger.ts';
import { exportLedger, type ExportFormat } from '../../gateway/ledger-export.ts';
import type { Clock } from '../../lib/clock.ts';
import { SekishoError } from '../../spec/errors.ts';
import { dollars } from '../../spec/money.ts';
import type { Principal } from '../../spec/principal.ts';
import { usageExportQuerySchema, usageQuerySchema } from '../contract/usage.ts';
import type { HttpEnv } from '../http-context.ts';
import { judge } from '../read-body.ts';

const MONTH_MS = 31 * 86_400_000;
const MEDIA: Record<ExportFormat, string> = {
  csv: 'text/csv; charset=utf-8; header=present',
  jsonl: 'application/jsonl; charset=utf-8',
  json: 'application/json; charset=utf-8',
};

/** What was used and what it cost. Members see their own key, administrators their tenant. */
export function usageRoutes(deps: { ledger: Ledger; clock: Clock }): Hono<HttpEnv> {
  const periodOf = (principal: Principal, query: { from?: string | undefined; to?: string | undefined }) => {
    const toMs = query.to === undefined ? deps.clock.nowMs() + 1 : Date.parse(query.to);
    const fromMs = query.from === undefined ? toMs - MONTH_MS : Date.parse(query.from);
    if (fromMs > toMs) {
      const problem = 'from: lies behind the end of the period';
      throw new SekishoError('invalid_request', { values: { problem }, param: 'from' });
    }
    const period: LedgerPeriod = { tenantId: principal.tenantId, fromMs, toMs };
    return principal.role === 'admin' ? period : { ...period, keyId: principal.keyId };
  };

  return new Hono<HttpEnv>()
    .get('/v1/usage', async (context) => {
      const query = judge(usageQuerySchema, context.req.query());
      const period = periodOf(context.get('principal'), query);
      const rows = await deps.ledger.usage({ ...period, by: query.by });
      return context.json({
        from: new Date(period.fromMs).toISOString(),
        to: new Date(period.toMs).toISOString(),
        groups: rows.map((row) => ({
          group: row.group.join(' '),
          by: Object.fromEntries(query.by.map((name, index) => [name, row.group[index] ?? ''])),
          requests: row.requests,
          failed_requests: row.failed,
          cache_hits: row.cacheHits,
          input_tokens: row.inputTokens,
          cached_input_tokens: row.cachedInputTokens,
          output_tokens: row.outputTokens,
          reasoning_tokens: row.reasoningTokens,
          cost_usd: dollars(row.costMicros),
          cost_micros: row.costMicros,
          unpriced_requests: row.unpriced,
        })),
      });
    })
    .get('/v1/usage/export', (context) => {
      const { format, ...query } = judge(usageExportQuerySchema, context.req.query());
      const pages = exportLedger(deps.ledger, { ...periodOf(context.get('principal'), query), format });
      const name = `sekisho-usage-${new Date(deps.clock.nowMs()).toISOString().slice(0, 10)}.${format}`;
      return context.body(streamOf(pages), 200, {
        'content-type': MEDIA[format],
        'content-disposition': `attachment; filename="${name}"`,
      });
    });
}

/** The pages as a body that is read no faster than the caller reads. A failure breaks the body off, without its end. */
function streamOf(pages: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await pages.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      } catch (thrown) {
        controller.error(thrown);
      }
    },
    cancel: async () => {
      await pages.return(undefined);
    },
  });
}
