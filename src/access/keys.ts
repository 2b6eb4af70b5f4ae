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
  expiresMs?: number;
}

export interface Keys {
  /** Makes a key. The secret is returned here and nowhere else, ever. */
  create(key: NewKey): Promise<{ record: KeyRecord; secret: Secret }>;
  list(tenantId: TenantId): Promise<KeyRecord[]>;
  /** Ends a key at once; false where the tenant has no such live key. */
  revoke(tenantId: TenantId, id: string): Promise<boolean>;
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
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
}

/** A key revoked by another process is refused after this time at the latest. */
const FRESH_MS = 1_000;
/** Known keys keep working for this long while the store is down. */
const GRACE_MS = 300_000;
const COLUMNS = 'id, tenant_id, name, hint, role, allowed_routes, limits, created_ms, expires_ms, revoked_ms';

/**
 * API keys: created, listed, revoked, and turned into principals.
 * `adminKey` is a key given by the environment; it is an administrator of the default tenant and is not stored.
 */
export function createKeys(options: { database: Database; clock: Clock; adminKey?: Secret }): Keys {
  const { database, clock } = options;
  const seen = new LRUCache<string, { record: KeyRecord; principal: Principal; checkedMs: number }>({ max: 10_000 });
  const adminHash = options.adminKey === undefined ? undefined : hashOf(options.adminKey.reveal());

  return {
    create: async (key) => {
      const secret = new Secret(`sk-sekisho-${randomBytes(24).toString('base64url')}`);
      const record: KeyRecord = {
        id: newId('key', clock.nowMs()),
        tenantId: key.tenantId,
        name: key.name,
        hint: secret.reveal().slice(0, 15),
        role: key.role,
        allowedRoutes: [...(key.allowedRoutes ?? [])],
        limits: key.limits ?? {},
        createdMs: clock.nowMs(),
        expiresMs: key.expiresMs ?? null,
        revokedMs: null,
      };
      await database.run(`INSERT INTO api_keys (${COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
        record.id,
        record.tenantId,
        record.name,
        record.hint,
        record.role,
        JSON.stringify(record.allowedRoutes),
        JSON.stringify(record.limits),
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

    revoke: async (tenantId, id) => {
      const { changes } = await database.run(
        'UPDATE api_keys SET revoked_ms = ? WHERE tenant_id = ? AND id = ? AND revoked_ms IS NULL',
        [clock.nowMs(), tenantId, id],
      );
      for (const [hash, known] of seen.entries()) if (known.record.id === id) seen.delete(hash);
      return changes > 0;
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

function recordOf(row: KeyRow): KeyRecord {
  const routes = parseJson(row.allowed_routes);
  const limits = parseJson(row.limits);
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    hint: row.hint,
    role: row.role,
    allowedRoutes: Array.isArray(routes) ? routes.filter((route) => typeof route === 'string') : [],
    limits: isJsonObject(limits) ? limits : {},
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms,
  };
}

function principalOf(record: KeyRecord): Principal {
  const { tenantId, id: keyId, name, role, allowedRoutes, limits } = record;
  return { tenantId, keyId, name, role, allowedRoutes, limits };
}
