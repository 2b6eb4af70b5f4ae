import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../lib/clock.ts';
import { isJsonObject, parseJson } from '../lib/json.ts';
import { Secret } from '../lib/secret.ts';
import type { Database } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import { DEFAULT_TENANT, newId, type KeyId, type TenantId } from '../spec/ids.ts';
import type { Limits } from '../spec/limits.ts';
import type { Principal } from '../spec/principal.ts';

/** What an administrator sees of a key: never the key. */
export interface KeyRecord {
  id: KeyId;
  tenantId: TenantId;
  name: string;
  /** The first characters, to tell keys apart. */
  hint: string;
  role: Principal['role'];
  allowedRoutes: string[];
  limits: Limits;
  team: string | null;
  tags: string[];
  groups: string[];
  attributes: Record<string, string[]>;
  createdMs: number;
  expiresMs: number | null;
  revokedMs: number | null;
}

export interface NewKey {
  tenantId: TenantId;
  name: string;
  role: Principal['role'];
  allowedRoutes?: readonly string[];
  limits?: Limits;
  team?: string;
  tags?: readonly string[];
  groups?: readonly string[];
  attributes?: Readonly<Record<string, readonly string[]>>;
  expiresMs?: number;
}

/** What may change of a key; what is absent stays. */
export interface KeyChanges {
  name?: string;
  role?: Principal['role'];
  allowedRoutes?: readonly string[];
  limits?: Limits;
  team?: string | null;
  tags?: readonly string[];
  groups?: readonly string[];
  attributes?: Readonly<Record<string, readonly string[]>>;
  expiresMs?: number | null;
}

export interface Keys {
  /** Makes a key. The secret is returned here and nowhere else, ever. */
  create(key: NewKey): Promise<{ record: KeyRecord; secret: Secret }>;
  list(tenantId: TenantId): Promise<KeyRecord[]>;
  /** The key of that id; undefined where the tenant has none. */
  find(tenantId: TenantId, id: string): Promise<KeyRecord | undefined>;
  /** Changes a live key; undefined where the tenant has no such. In force here at once, elsewhere within a second. */
  update(tenantId: TenantId, id: string, changes: KeyChanges): Promise<KeyRecord | undefined>;
  /**
   * Gives a live key a new secret; the old one ends at once. undefined where the tenant has no such key.
   * Id, limits and what was spent stay.
   */
  rotate(tenantId: TenantId, id: string): Promise<{ record: KeyRecord; secret: Secret } | undefined>;
  /** Ends a key at once; false where the tenant has no such live key. */
  revoke(tenantId: TenantId, id: string): Promise<boolean>;
  /**
   * The rights that a key has now, for work that is done in its name.
   * @throws SekishoError invalid_key for unknown, revoked and expired keys alike; storage_unavailable.
   */
  principal(tenantId: TenantId, id: string): Promise<Principal>;
  /**
   * Who a key belongs to.
   * @throws SekishoError invalid_key for unknown, revoked and expired keys alike; storage_unavailable when
   *   the store is down and the key is not among those seen lately.
   */
  authenticate(secret: string): Promise<Principal>;
}

interface KeyRow {
  id: KeyId;
  tenant_id: TenantId;
  name: string;
  hint: string;
  role: Principal['role'];
  allowed_routes: string;
  limits: string;
  team: string | null;
  tags: string | null;
  groups_json: string | null;
  attributes_json: string | null;
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
}

/** A key revoked by another process is refused after this time at the latest. */
const FRESH_MS = 1_000;
/** Known keys keep working for this long while the store is down. */
const GRACE_MS = 300_000;
const COLUMNS =
  'id, tenant_id, name, hint, role, allowed_routes, limits, team, tags, groups_json, attributes_json, ' +
  'created_ms, expires_ms, revoked_ms';
/** A mark for every column and the hash. */
const VALUES = [...COLUMNS.split(','), 'hash'].map(() => '?').join(', ');

/**
 * API keys: created, listed, revoked, and turned into principals.
 * `adminKey` is a key given by the environment; it is an administrator of the default tenant and is not stored.
 */
export function createKeys(options: { database: Database; clock: Clock; adminKey?: Secret }): Keys {
  const { database, clock } = options;
  const seen = new LRUCache<string, { record: KeyRecord; principal: Principal; checkedMs: number }>({ max: 10_000 });
  const adminHash = options.adminKey === undefined ? undefined : hashOf(options.adminKey.reveal());

  const find = async (tenantId: TenantId, id: string): Promise<KeyRecord | undefined> => {
    const rows = await database.all<KeyRow>(`SELECT ${COLUMNS} FROM api_keys WHERE tenant_id = ? AND id = ?`, [
      tenantId,
      id,
    ]);
    return rows[0] && recordOf(rows[0]);
  };
  const forget = (id: string): void => {
    for (const [hash, known] of seen.entries()) if (known.record.id === id) seen.delete(hash);
  };

  return {
    create: async (key) => {
      const secret = newSecret();
      const record: KeyRecord = {
        id: newId('key', clock.nowMs()),
        tenantId: key.tenantId,
        name: key.name,
        hint: hintOf(secret),
        role: key.role,
        allowedRoutes: [...(key.allowedRoutes ?? [])],
        limits: key.limits ?? {},
        team: key.team ?? null,
        tags: [...(key.tags ?? [])],
        groups: [...(key.groups ?? [])],
        attributes: listsOf(key.attributes ?? {}),
        createdMs: clock.nowMs(),
        expiresMs: key.expiresMs ?? null,
        revokedMs: null,
      };
      await database.run(`INSERT INTO api_keys (${COLUMNS}, hash) VALUES (${VALUES})`, [
        record.id,
        record.tenantId,
        record.name,
        record.hint,
        record.role,
        JSON.stringify(record.allowedRoutes),
        JSON.stringify(record.limits),
        record.team,
        JSON.stringify(record.tags),
        JSON.stringify(record.groups),
        JSON.stringify(record.attributes),
        record.createdMs,
        record.expiresMs,
        null,
        hashOf(secret.reveal()),
      ]);
      return { record, secret };
    },

    list: async (tenantId) =>
      (
        await database.all<KeyRow>(
          `SELECT ${COLUMNS} FROM api_keys WHERE tenant_id = ? ORDER BY created_ms LIMIT 10000`,
          [tenantId],
        )
      ).map(recordOf),

    find,

    update: async (tenantId, id, changes) => {
      const known = await find(tenantId, id);
      if (known === undefined || known.revokedMs !== null) return undefined;
      const next: KeyRecord = {
        ...known,
        ...(changes.name !== undefined && { name: changes.name }),
        ...(changes.role !== undefined && { role: changes.role }),
        ...(changes.allowedRoutes !== undefined && { allowedRoutes: [...changes.allowedRoutes] }),
        ...(changes.limits !== undefined && { limits: changes.limits }),
        ...(changes.team !== undefined && { team: changes.team }),
        ...(changes.tags !== undefined && { tags: [...changes.tags] }),
        ...(changes.groups !== undefined && { groups: [...changes.groups] }),
        ...(changes.attributes !== undefined && { attributes: listsOf(changes.attributes) }),
        ...(changes.expiresMs !== undefined && { expiresMs: changes.expiresMs }),
      };
      const { changes: changed } = await database.run(
        `UPDATE api_keys SET name = ?, role = ?, allowed_routes = ?, limits = ?, team = ?, tags = ?,
           groups_json = ?, attributes_json = ?, expires_ms = ?
         WHERE tenant_id = ? AND id = ? AND revoked_ms IS NULL`,
        [
          next.name,
          next.role,
          JSON.stringify(next.allowedRoutes),
          JSON.stringify(next.limits),
          next.team,
          JSON.stringify(next.tags),
          JSON.stringify(next.groups),
          JSON.stringify(next.attributes),
          next.expiresMs,
          tenantId,
          id,
        ],
      );
      forget(id);
      return changed > 0 ? next : undefined;
    },

    rotate: async (tenantId, id) => {
      const secret = newSecret();
      const { changes } = await database.run(
        'UPDATE api_keys SET hash = ?, hint = ? WHERE tenant_id = ? AND id = ? AND revoked_ms IS NULL',
        [hashOf(secret.reveal()), hintOf(secret), tenantId, id],
      );
      forget(id);
      const record = changes > 0 ? await find(tenantId, id) : undefined;
      return record && { record, secret };
    },

    revoke: async (tenantId, id) => {
      const { changes } = await database.run(
        'UPDATE api_keys SET revoked_ms = ? WHERE tenant_id = ? AND id = ? AND revoked_ms IS NULL',
        [clock.nowMs(), tenantId, id],
      );
      forget(id);
      return changes > 0;
    },

    principal: async (tenantId, id) => {
      if (adminHash !== undefined && id === ADMIN.keyId && tenantId === ADMIN.tenantId) return ADMIN;
      const record = await find(tenantId, id);
      if (record === undefined) throw new SekishoError('invalid_key');
      return ifLive({ record, principal: principalOf(record) }, clock.nowMs());
    },

    authenticate: async (secret) => {
      const hash = hashOf(secret);
      if (hash === adminHash) return ADMIN;
      const now = clock.nowMs();
      const known = seen.get(hash);
      if (known !== undefined && Math.abs(now - known.checkedMs) < FRESH_MS) return ifLive(known, now);
      const row = await database
        .all<KeyRow>(`SELECT ${COLUMNS} FROM api_keys WHERE hash = ?`, [hash])
        .catch((thrown: unknown) => {
          if (known !== undefined && Math.abs(now - known.checkedMs) < GRACE_MS) return undefined;
          throw thrown;
        });
      if (row === undefined && known !== undefined) return ifLive(known, now);
      const record = row?.[0] === undefined ? undefined : recordOf(row[0]);
      if (record === undefined) throw new SekishoError('invalid_key');
      const entry = { record, principal: principalOf(record), checkedMs: now };
      seen.set(hash, entry);
      return ifLive(entry, now);
    },
  };
}

/** The administrator whose key the environment gave. */
const ADMIN: Principal = {
  tenantId: DEFAULT_TENANT,
  keyId: 'key_environment',
  name: 'SEKISHO_ADMIN_KEY',
  role: 'admin',
  allowedRoutes: [],
  limits: {},
};

function ifLive(known: { record: KeyRecord; principal: Principal }, nowMs: number): Principal {
  const { revokedMs, expiresMs } = known.record;
  if (revokedMs !== null || (expiresMs !== null && expiresMs <= nowMs)) throw new SekishoError('invalid_key');
  return known.principal;
}

// The comparison that decides is the store's index over hashes of random keys: an attacker who can time it
// learns about the hash of a guess, which does not lead to the next guess.
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function newSecret(): Secret {
  return new Secret(`sk-sekisho-${randomBytes(24).toString('base64url')}`);
}

function hintOf(secret: Secret): string {
  return secret.reveal().slice(0, 15);
}

function recordOf(row: KeyRow): KeyRecord {
  const routes = parseJson(row.allowed_routes);
  const tags = parseJson(row.tags ?? '[]');
  const limits = parseJson(row.limits);
  const attributes = parseJson(row.attributes_json ?? '{}');
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    hint: row.hint,
    role: row.role,
    allowedRoutes: textsOf(routes),
    limits: isJsonObject(limits) ? limits : {},
    team: row.team,
    tags: textsOf(tags),
    groups: textsOf(parseJson(row.groups_json ?? '[]')),
    attributes: isJsonObject(attributes) ? listsOf(attributes) : {},
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms,
  };
}

function principalOf(record: KeyRecord): Principal {
  const { tenantId, id: keyId, name, role, allowedRoutes, limits, team, tags, groups, attributes } = record;
  const ofTeam = team !== null && { team };
  return { tenantId, keyId, name, role, allowedRoutes, limits, ...ofTeam, tags, groups, attributes };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function listsOf(object: Readonly<Record<string, unknown>>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(object).map(([name, values]) => [name, textsOf(values)]));
}
