import { Hono } from 'hono';
import { requireOperator } from '../../../access/permissions.ts';
import type { TargetHealth } from '../../../gateway/routing/target-health.ts';
import { SekishoError } from '../../../spec/errors.ts';
import type { HttpEnv } from '../../http-context.ts';

/** Health of targets: what the breakers know, and taking it back. */
export function targetHealthRoutes(deps: { health: Pick<TargetHealth, 'snapshot' | 'reset'> }): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/v1/targets/health', (context) => {
      requireOperator(context.get('principal'), 'read the health of targets');
      return context.json({
        data: deps.health.snapshot().map((each) => ({
          target: each.target,
          state: each.state,
          in_flight: each.inFlight,
          queue_length: each.queueLength,
          latency_ms: each.ewmaMs ?? null,
          failure_share: each.failureShare,
          open_until: each.openUntilMs === undefined ? null : new Date(each.openUntilMs).toISOString(),
          last_error: each.lastError ?? null,
        })),
      });
    })
    .post('/v1/targets/:name{.+}/reset', (context) => {
      requireOperator(context.get('principal'), 'reset targets');
      const name = context.req.param('name');
      if (!deps.health.reset(name)) {
        throw new SekishoError('not_found', { values: { path: `/v1/targets/${name.slice(0, 200)}/reset` } });
      }
      return context.json({ target: name, state: 'closed' });
    });
}
