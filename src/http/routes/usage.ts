import { Hono } from 'hono';
import type { Ledger } from '../../gateway/ledger.ts';
import type { Clock } from '../../lib/clock.ts';
import { dollars } from '../../spec/money.ts';
import { usageQuerySchema } from '../contract/keys.ts';
import type { HttpEnv } from '../http-context.ts';
import { judge } from '../read-body.ts';

const MONTH_MS = 31 * 86_400_000;

/** What was used and what it cost. Members see their own key, administrators their tenant. */
export function usageRoutes(deps: { ledger: Ledger; clock: Clock }): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/v1/usage', async (context) => {
    const principal = context.get('principal');
    const query = judge(usageQuerySchema, context.req.query());
    const toMs = query.to === undefined ? deps.clock.nowMs() + 1 : Date.parse(query.to);
    const fromMs = query.from === undefined ? toMs - MONTH_MS : Date.parse(query.from);
    const rows = await deps.ledger.usage({
      tenantId: principal.tenantId,
      by: query.by,
      fromMs,
      toMs,
      ...(principal.role !== 'admin' && { keyId: principal.keyId }),
    });
    return context.json({
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      groups: rows.map((row) => ({
        group: row.group,
        requests: row.requests,
        input_tokens: row.inputTokens,
        output_tokens: row.outputTokens,
        cost_usd: dollars(row.costMicros),
        unpriced_requests: row.unpriced,
      })),
    });
  });
}
