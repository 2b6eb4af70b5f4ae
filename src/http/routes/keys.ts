import { Hono } from 'hono';
import type { KeyRecord, Keys } from '../../access/keys.ts';
import { requireAdmin } from '../../access/permissions.ts';
import { requireNotWider, type WantedRights } from '../../access/require-not-wider.ts';
import { limitsOf, shownLimits } from '../../config/limits-schema.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { Principal } from '../../spec/principal.ts';
import { changeKeySchema, createKeySchema } from '../contract/keys.ts';
import type { HttpEnv } from '../http-context.ts';
import { readValid } from '../read-body.ts';

/** Keys of the caller's tenant; for administrators. */
export function keyRoutes(deps: { keys: Keys }): Hono<HttpEnv> {
  /** @throws SekishoError forbidden where a key with these rights would have more than the caller's. */
  async function requireWithin(principal: Principal, wanted: WantedRights): Promise<void> {
    const own = await deps.keys.find(principal.tenantId, principal.keyId);
    requireNotWider({ ...principal, expiresMs: own?.expiresMs ?? null }, wanted);
  }

  return new Hono<HttpEnv>()
    .post('/v1/keys', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'create keys');
      const wanted = await readValid(context, createKeySchema);
      const limits = limitsOf(wanted.limits);
      const expiresMs = wanted.expires_at === undefined ? null : Date.parse(wanted.expires_at);
      await requireWithin(principal, {
        role: wanted.role,
        allowedRoutes: wanted.allowed_routes,
        limits,
        team: wanted.team ?? null,
        groups: wanted.groups,
        attributes: wanted.attributes,
        expiresMs,
      });
      const { record, secret } = await deps.keys.create({
        tenantId: principal.tenantId,
        name: wanted.name,
        role: wanted.role,
        allowedRoutes: wanted.allowed_routes,
        limits,
        tags: wanted.tags,
        groups: wanted.groups,
        attributes: wanted.attributes,
        ...(wanted.team !== undefined && { team: wanted.team }),
        ...(expiresMs !== null && { expiresMs }),
      });
      return context.json({ ...shown(record), key: secret.reveal() }, 201, { 'cache-control': 'no-store' });
    })
    .get('/v1/keys', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'list keys');
      return context.json({ data: (await deps.keys.list(principal.tenantId)).map(shown) });
    })
    .get('/v1/keys/:id', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'list keys');
      const id = context.req.param('id');
      const record = await deps.keys.find(principal.tenantId, id);
      if (record === undefined) throw noKey(id);
      return context.json(shown(record));
    })
    .patch('/v1/keys/:id', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'change keys');
      const wanted = await readValid(context, changeKeySchema);
      const id = context.req.param('id');
      const known = await deps.keys.find(principal.tenantId, id);
      if (known === undefined) throw noKey(id);
      // Whoever may not give these rights may not change a key that has them.
      await requireWithin(principal, known);
      const limits = wanted.limits === undefined ? undefined : limitsOf(wanted.limits);
      const expiresMs = typeof wanted.expires_at === 'string' ? Date.parse(wanted.expires_at) : wanted.expires_at;
      await requireWithin(principal, {
        role: wanted.role ?? known.role,
        allowedRoutes: wanted.allowed_routes ?? known.allowedRoutes,
        limits: limits ?? known.limits,
        team: wanted.team === undefined ? known.team : wanted.team,
        groups: wanted.groups ?? known.groups,
        attributes: wanted.attributes ?? known.attributes,
        expiresMs: expiresMs === undefined ? known.expiresMs : expiresMs,
      });
      const record = await deps.keys.update(principal.tenantId, id, {
        ...(wanted.name !== undefined && { name: wanted.name }),
        ...(wanted.role !== undefined && { role: wanted.role }),
        ...(wanted.allowed_routes !== undefined && { allowedRoutes: wanted.allowed_routes }),
        ...(limits !== undefined && { limits }),
        ...(wanted.team !== undefined && { team: wanted.team }),
        ...(wanted.tags !== undefined && { tags: wanted.tags }),
        ...(wanted.groups !== undefined && { groups: wanted.groups }),
        ...(wanted.attributes !== undefined && { attributes: wanted.attributes }),
        ...(expiresMs !== undefined && { expiresMs }),
      });
      if (record === undefined) throw noKey(id);
      return context.json(shown(record));
    })
    .post('/v1/keys/:id/rotate', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'rotate keys');
      const id = context.req.param('id');
      const known = await deps.keys.find(principal.tenantId, id);
      if (known === undefined) throw noKey(id);
      // The new secret is shown to whoever rotates, so the key may not hold more than he has.
      await requireWithin(principal, known);
      const rotated = await deps.keys.rotate(principal.tenantId, id);
      if (rotated === undefined) throw noKey(id);
      const { record, secret } = rotated;
      return context.json({ ...shown(record), key: secret.reveal() }, 200, { 'cache-control': 'no-store' });
    })
    .delete('/v1/keys/:id', async (context) => {
      const principal = context.get('principal');
      requireAdmin(principal, 'revoke keys');
      const id = context.req.param('id');
      const known = await deps.keys.find(principal.tenantId, id);
      if (known === undefined) throw noKey(id);
      await requireWithin(principal, known);
      if (!(await deps.keys.revoke(principal.tenantId, id))) throw noKey(id);
      return context.json({ id, revoked: true });
    });
}

function noKey(id: string): SekishoError {
  return new SekishoError('not_found', { values: { path: `/v1/keys/${id.slice(0, 100)}` } });
}

function shown(record: KeyRecord) {
  const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: record.id,
    name: record.name,
    hint: record.hint,
    role: record.role,
    allowed_routes: record.allowedRoutes,
    limits: shownLimits(record.limits),
    team: record.team,
    tags: record.tags,
    groups: record.groups,
    attributes: record.attributes,
    created_at: time(record.createdMs),
    expires_at: time(record.expiresMs),
    revoked_at: time(record.revokedMs),
  };
}
