import { Hono } from 'hono';
import type { KeyRecord, Keys } from '../../access/keys.ts';
import { requireAdmin } from '../../access/permissions.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Limits } from '../../spec/limits.ts';
import type { z } from 'zod';
import { createKeySchema } from '../contract/keys.ts';
import type { HttpEnv } from '../http-context.ts';
import { readValid } from '../read-body.ts';

/** Keys of the caller's tenant; for administrators. */
export function keyRoutes(deps: { keys: Keys }): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .post('/v1/keys', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'create keys');
      const wanted = await readValid(context, createKeySchema);
      const { record, secret } = await deps.keys.create({
        tenantId: principal.tenantId,
        name: wanted.name,
        role: wanted.role,
        allowedRoutes: wanted.allowed_routes,
        limits: limitsOf(wanted.limits),
        ...(wanted.expires_at !== undefined && { expiresMs: Date.parse(wanted.expires_at) }),
      });
      return context.json({ ...shown(record), key: secret.reveal() }, 201, { 'cache-control': 'no-store' });
    })
    .get('/v1/keys', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'list keys');
      return context.json({ data: (await deps.keys.list(principal.tenantId)).map(shown) });
    })
    .delete('/v1/keys/:id', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'revoke keys');
      const id = context.req.param('id');
      if (!(await deps.keys.revoke(principal.tenantId, id))) {
        throw new SekishoError('not_found', { values: { path: `/v1/keys/${id}` } });
      }
      return context.json({ id, revoked: true });
    });
}

function limitsOf(limits: z.infer<typeof createKeySchema>['limits']): Limits {
  return {
    ...(limits.requests_per_minute !== undefined && { requestsPerMinute: limits.requests_per_minute }),
    ...(limits.tokens_per_minute !== undefined && { tokensPerMinute: limits.tokens_per_minute }),
    ...(limits.concurrency !== undefined && { concurrency: limits.concurrency }),
    ...(limits.budget_usd_per_month !== undefined && {
      budgetMicros: Math.round(limits.budget_usd_per_month * 1_000_000),
    }),
  };
}

function shown(record: KeyRecord) {
  const { limits } = record;
  const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: record.id,
    name: record.name,
    hint: record.hint,
    role: record.role,
    allowed_routes: record.allowedRoutes,
    limits: {
      ...(limits.requestsPerMinute !== undefined && { requests_per_minute: limits.requestsPerMinute }),
      ...(limits.tokensPerMinute !== undefined && { tokens_per_minute: limits.tokensPerMinute }),
      ...(limits.concurrency !== undefined && { concurrency: limits.concurrency }),
      ...(limits.budgetMicros !== undefined && { budget_usd_per_month: limits.budgetMicros / 1_000_000 }),
    },
    created_at: time(record.createdMs),
    expires_at: time(record.expiresMs),
    revoked_at: time(record.revokedMs),
  };
}
