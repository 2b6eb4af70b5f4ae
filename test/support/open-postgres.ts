import { Secret } from '../../src/lib/secret.ts';
import type { Database } from '../../src/ports/database.ts';
import { createPostgresDatabase } from '../../src/stores/postgres/postgres-database.ts';
import type { PostgresPoolOptions } from '../../src/stores/postgres/postgres-pool.ts';

/** The database of a Postgres of a test, as a process of its own would open it. */
export function openPostgres(
  server: { url: string },
  options: Partial<Omit<PostgresPoolOptions, 'url'>> = {},
): Database {
  return createPostgresDatabase({
    url: new Secret(server.url),
    maxConnections: 6,
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 5_000,
    log: { info: () => undefined, warn: () => undefined },
    ...options,
  });
}
