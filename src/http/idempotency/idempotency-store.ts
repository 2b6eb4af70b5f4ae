import type { Clock } from '../../lib/clock.ts';
import { isJsonObject, parseJson } from '../../lib/json.ts';
import type { Database } from '../../ports/database.ts';
import { newId, type KeyId, type TenantId } from '../../spec/ids.ts';

/** Whose key it is: nobody sees, meets or blocks the keys of another. */
export interface IdempotencyScope {
  tenantId: TenantId;
  keyId: KeyId;
  idempotencyKey: string;
}

/** The first answer, as it is given again. */
export interface KeptAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export type ClaimOutcome =
  | { state: 'claimed'; claimId: string }
  | { state: 'answered'; answer: KeptAnswer }
  /** The same key came with another request. */
  | { state: 'mismatch' }
  | { state: 'in-progress' }
  /** Answered, but the answer was too large to keep. */
  | { state: 'not-kept' };

export interface IdempotencyStore {
  /** Takes the key for a call, or says what became of the first one. Atomic, for any number of replicas. */
  claim(scope: IdempotencyScope, requestHash: string): Promise<ClaimOutcome>;
  /** Keeps the answer of a claim; without a body, only that there was one. */
  keep(claimId: string, answer: Omit<KeptAnswer, 'body'> & { body: string | undefined }): Promise<void>;
  /** Frees the key: the call may be made again. */
  release(claimId: string): Promise<void>;
}

export interface IdempotencyStoreDeps {
  database: Database;
  clock: Clock;
  /** Repeats at `intervalMs` until stopped; tests stand in for it. */
  every?: (intervalMs: number, work: () => void) => { stop: () => void };
}

const KEEP_MS = 24 * 60 * 60 * 1_000;
/** How long a claim outlives its process. */
const LEASE_MS = 30_000;
const RENEW_EVERY_MS = 10_000;
const SWEEP_EVERY_MS = 60_000;
const SWEEP_ROWS = 500;
const MAX_SWEEPS = 20;
const MAX_TRIES = 3;

interface Row {
  claim_id: string;
  request_hash: string;
  lease_until_ms: number | string;
  expires_ms: number | string;
  status: number | null;
  headers: string | null;
  body: string | null;
}

/** Claims and answers in the database. */
export function createIdempotencyStore(deps: IdempotencyStoreDeps): IdempotencyStore {
  const { database, clock } = deps;
  const every = deps.every ?? machineTimer;
  const held = new Set<string>();
  let renewal: { stop: () => void } | undefined;
  let nextSweepMs = 0;

  /** While calls run, their claims do not end, however long they take. */
  function hold(claimId: string): void {
    held.add(claimId);
    renewal ??= every(RENEW_EVERY_MS, () => {
      const statements = [...held].map((id) => ({
        sql: 'UPDATE http_idempotency SET lease_until_ms = ? WHERE claim_id = ? AND status IS NULL',
        params: [clock.nowMs() + LEASE_MS, id],
      }));
      // A renewal that fails is made up for by the next one.
      database.batch(statements).catch(() => undefined);
    });
  }

  function letGo(claimId: string): void {
    held.delete(claimId);
    if (held.size > 0) return;
    renewal?.stop();
    renewal = undefined;
  }

  async function sweep(nowMs: number): Promise<void> {
    for (let sweeps = 0; sweeps < MAX_SWEEPS; sweeps++) {
      const { changes } = await database.run(
        `DELETE FROM http_idempotency WHERE claim_id IN
           (SELECT claim_id FROM http_idempotency WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ${SWEEP_ROWS})`,
        [nowMs],
      );
      if (changes < SWEEP_ROWS) return;
    }
  }

  function sweepInBackground(nowMs: number): void {
    if (nowMs < nextSweepMs) return;
    nextSweepMs = nowMs + SWEEP_EVERY_MS;
    // What is left over is swept next time.
    sweep(nowMs).catch(() => undefined);
  }

  return {
    claim: async ({ tenantId, keyId, idempotencyKey }, requestHash) => {
      const place = [tenantId, keyId, idempotencyKey];
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const nowMs = clock.nowMs();
        sweepInBackground(nowMs);
        const claimId = newId('idm', nowMs);
        const times = [nowMs + LEASE_MS, nowMs + KEEP_MS];
        const taken = await database.run(
          `INSERT INTO http_idempotency
             (tenant_id, key_id, idempotency_key, claim_id, request_hash, lease_until_ms, expires_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
          [...place, claimId, requestHash, ...times],
        );
        if (taken.changes === 1) {
          hold(claimId);
          return { state: 'claimed', claimId };
        }
        const [row] = await database.all<Row>(
          `SELECT claim_id, request_hash, lease_until_ms, expires_ms, status, headers, body FROM http_idempotency
           WHERE tenant_id = ? AND key_id = ? AND idempotency_key = ?`,
          place,
        );
        // Released since: the next try takes it.
        if (row === undefined) continue;
        const over = row.status === null ? Number(row.lease_until_ms) <= nowMs : Number(row.expires_ms) <= nowMs;
        if (!over) return outcomeOf(row, requestHash);
        // Exactly one of several who find it over moves it out of the way; all then try to take it.
        await database.run('DELETE FROM http_idempotency WHERE claim_id = ? AND lease_until_ms = ?', [
          row.claim_id,
          Number(row.lease_until_ms),
        ]);
      }
      return { state: 'in-progress' };
    },

    keep: async (claimId, { status, headers, body }) => {
      try {
        await database.run('UPDATE http_idempotency SET status = ?, headers = ?, body = ? WHERE claim_id = ?', [
          status,
          JSON.stringify(headers),
          body ?? null,
          claimId,
        ]);
      } finally {
        letGo(claimId);
      }
    },

    release: async (claimId) => {
      try {
        await database.run('DELETE FROM http_idempotency WHERE claim_id = ? AND status IS NULL', [claimId]);
      } finally {
        letGo(claimId);
      }
    },
  };
}

function outcomeOf(row: Row, requestHash: string): ClaimOutcome {
  if (row.request_hash !== requestHash) return { state: 'mismatch' };
  if (row.status === null) return { state: 'in-progress' };
  if (row.body === null) return { state: 'not-kept' };
  const parsed = parseJson(row.headers ?? '{}');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(isJsonObject(parsed) ? parsed : {})) {
    if (typeof value === 'string') headers[name] = value;
  }
  return { state: 'answered', answer: { status: row.status, headers, body: row.body } };
}

function machineTimer(intervalMs: number, work: () => void): { stop: () => void } {
  const timer = setInterval(work, intervalMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
