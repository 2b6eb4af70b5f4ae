import { Hono } from 'hono';
import type { z } from 'zod';
import { requireAdmin } from '../../access/permissions.ts';
import type { OpenSources } from '../../rag/sources/open-sources.ts';
import { isComplete, type SourceRun } from '../../rag/sources/source.ts';
import type { ShownSource } from '../../rag/sources/sources.ts';
import type { DocumentAccess } from '../../spec/document-access.ts';
import {
  changeSourceSchema,
  createSourceSchema,
  deleteSourceQuery,
  sourcePageQuery,
  sourceRunPageQuery,
  type sourceRunSchema,
  type sourceSchema,
} from '../contract/sources.ts';
import type { HttpContext, HttpEnv } from '../http-context.ts';
import { judge, readValid } from '../read-body.ts';
import { readUpload } from '../read-upload.ts';
import { requireCollection } from './search.ts';

export interface SourceRouteDeps {
  sources: OpenSources;
}

const MAX_FILES = 100;

/** Where documents come from, with schedules. For administrators: a source reaches what the server reaches. */
export function sourceRoutes({ sources }: SourceRouteDeps): Hono<HttpEnv> {
  const admin = (context: HttpContext) => {
    const principal = context.get('principal');
    requireAdmin(principal, 'manage sources');
    return principal;
  };

  return new Hono<HttpEnv>()
    .get('/v1/sources', async (context) => {
      const { tenantId } = admin(context);
      const { after = '', limit } = judge(sourcePageQuery, context.req.query());
      const data = await sources.list(tenantId, { after, limit });
      return context.json({ data: data.map(shownSource), has_more: data.length === limit });
    })
    .post('/v1/sources', async (context) => {
      const principal = admin(context);
      const { tenantId, keyId } = principal;
      const { time_zone: timeZone, credentials, access, ...body } = await readValid(context, createSourceSchema);
      requireCollection(principal, body.collection);
      const made = await sources.create(tenantId, keyId, {
        ...body,
        timeZone,
        access: access === null ? null : accessOf(access),
        ...(credentials !== undefined && { credentials }),
      });
      return context.json(shownSource(made), 201);
    })
    .get('/v1/sources/:id', async (context) =>
      context.json(shownSource(await sources.get(admin(context).tenantId, context.req.param('id')))),
    )
    .patch('/v1/sources/:id', async (context) => {
      const { tenantId } = admin(context);
      const body = await readValid(context, changeSourceSchema);
      const { name, settings, credentials, access, schedule, time_zone: timeZone, removal, state } = body;
      const changed = await sources.change(tenantId, context.req.param('id'), {
        ...(name !== undefined && { name }),
        ...(settings !== undefined && { settings }),
        ...(credentials !== undefined && { credentials }),
        ...(access !== undefined && { access: access === null ? null : accessOf(access) }),
        ...(schedule !== undefined && { schedule }),
        ...(timeZone !== undefined && { timeZone }),
        ...(removal !== undefined && { removal }),
        ...(state !== undefined && { state }),
      });
      return context.json(shownSource(changed));
    })
    .delete('/v1/sources/:id', async (context) => {
      const { tenantId } = admin(context);
      const id = context.req.param('id');
      const { documents } = judge(deleteSourceQuery, context.req.query());
      await sources.remove(tenantId, id, documents);
      return context.json({ id, deleted: true });
    })
    .post('/v1/sources/:id/run', async (context) => {
      const { tenantId } = admin(context);
      const id = context.req.param('id');
      return context.json({ id, run: await sources.run(tenantId, id) }, 202);
    })
    .get('/v1/sources/:id/runs', async (context) => {
      const { tenantId } = admin(context);
      const { before, limit } = judge(sourceRunPageQuery, context.req.query());
      const page = { limit, ...(before !== undefined && { before }) };
      const data = await sources.runs(tenantId, context.req.param('id'), page);
      return context.json({ data: data.map(shownRun), has_more: data.length === limit });
    })
    .post('/v1/sources/:id/files', async (context) => {
      const { tenantId } = admin(context);
      const { files } = await readUpload(context, MAX_FILES);
      const { signal } = context.req.raw;
      return context.json(shownRun(await sources.upload(tenantId, context.req.param('id'), { files, signal })));
    });
}

function accessOf(access: NonNullable<z.infer<typeof createSourceSchema>['access']>): DocumentAccess {
  const { roles, groups, attributes } = access;
  return { ...(roles && { roles }), ...(groups && { groups }), ...(attributes && { attributes }) };
}

function shownSource(source: ShownSource): z.input<typeof sourceSchema> {
  const { roles, groups, attributes } = source.access ?? {};
  return {
    id: source.id,
    name: source.name,
    collection: source.collection,
    settings: source.settings,
    has_credentials: source.hasCredentials,
    access:
      source.access === null
        ? null
        : {
            ...(roles && { roles: [...roles] }),
            ...(groups && { groups: [...groups] }),
            ...(attributes && {
              attributes: Object.fromEntries(Object.entries(attributes).map(([name, values]) => [name, [...values]])),
            }),
          },
    schedule: source.schedule,
    time_zone: source.timeZone,
    removal: source.removal,
    state: source.state,
    pause_reason: source.pauseReason,
    running: source.running,
    next_run_at: timeOf(source.nextRunMs),
    last_run: source.lastRun === null ? null : shownRun(source.lastRun),
    created_at: new Date(source.createdMs).toISOString(),
    updated_at: new Date(source.updatedMs).toISOString(),
    created_by: source.createdBy,
  };
}

function shownRun(run: SourceRun): z.infer<typeof sourceRunSchema> {
  const { sourceId: _source, startedMs, endedMs, ...told } = run;
  return {
    ...told,
    complete: isComplete(run),
    started_at: new Date(startedMs).toISOString(),
    ended_at: timeOf(endedMs),
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
