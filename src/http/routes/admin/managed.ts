import { Hono } from 'hono';
import type { z } from 'zod';
import { requireOperator } from '../../../access/permissions.ts';
import type { ManagedKind, ManagedSetting, ManagedSettings } from '../../../governance/managed-settings.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { SekishoError } from '../../../spec/errors.ts';
import type { HttpEnv } from '../../http-context.ts';
import { judge, readJson } from '../../read-body.ts';

/** One kind of setting over HTTP: how it is judged and what the file already says of it. */
export interface ManagedResource<S extends z.ZodType> {
  kind: ManagedKind;
  /** `/v1/routes` */
  path: string;
  schema: S;
  /** What the file sets, shown beside; by name. */
  fromFile: () => Iterable<[string, object]>;
  /** Refuses names and values that no schema can judge. @throws SekishoError */
  check?: (name: string, value: z.infer<S>) => void;
}

/** `GET`, `PUT` and `DELETE` of one kind of setting; in force at once, here and in every replica. */
export function managedRoutes<S extends z.ZodType<JsonObject>>(
  managed: ManagedSettings,
  resource: ManagedResource<S>,
): Hono<HttpEnv> {
  const { kind, path } = resource;
  const one = `${path}/:name{.+}` as const;
  return new Hono<HttpEnv>()
    .get(path, (context) => {
      requireOperator(context.get('principal'), `read ${kind} settings`);
      const ours = managed.all().filter((setting) => setting.kind === kind);
      const names = new Set(ours.map(({ name }) => name));
      const file = [...resource.fromFile()]
        .filter(([name]) => !names.has(name))
        .map(([name, value]) => ({ name, source: 'file', value }));
      return context.json({ data: [...ours.map(shownSetting), ...file] });
    })
    .put(one, async (context) => {
      const principal = context.get('principal');
      requireOperator(principal, `change ${kind} settings`);
      const name = managedName(context.req.param('name'));
      const value = judge(resource.schema, (await readJson(context)).json);
      resource.check?.(name, value);
      return context.json(shownSetting(await managed.put({ kind, name, value }, principal.keyId)));
    })
    .delete(one, async (context) => {
      const principal = context.get('principal');
      requireOperator(principal, `change ${kind} settings`);
      const name = managedName(context.req.param('name'));
      if (!(await managed.remove(kind, name, principal.keyId))) {
        throw new SekishoError('not_found', { values: { path: `${path}/${name}` } });
      }
      return context.json({ name, deleted: true });
    });
}

/** A name from a path. @throws SekishoError invalid_request for one that cannot be shown or stored safely. */
export function managedName(given: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(given)) return given;
  throw new SekishoError('invalid_request', {
    values: { problem: 'name: 1 to 200 visible ASCII characters' },
    param: 'name',
  });
}

/** A managed setting as the API shows it; its secrets are not part of its value. */
export function shownSetting({ name, value, revision, updatedMs, updatedBy }: ManagedSetting) {
  return {
    name,
    source: 'api' as const,
    value,
    revision,
    updated_at: new Date(updatedMs).toISOString(),
    updated_by: updatedBy,
  };
}
