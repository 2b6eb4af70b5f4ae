import { Database as Sqlite } from 'bun:sqlite';
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessMigrations } from '../../src/access/schema.ts';
import { evalsMigrations } from '../../src/evals/schema.ts';
import { gatewayMigrations } from '../../src/gateway/schema.ts';
import { governanceMigrations } from '../../src/governance/managed-settings.ts';
import { idempotencyMigrations } from '../../src/http/idempotency/schema.ts';
import { jobMigrations } from '../../src/jobs/schema.ts';
import { ragMigrations } from '../../src/rag/schema.ts';
import { sourceMigrations } from '../../src/rag/sources/schema.ts';
import { jobQueueMigrations } from '../../src/stores/database/job-queue-schema.ts';
import { sqliteCacheMigrations } from '../../src/stores/sqlite/sqlite-cache-store-schema.ts';
import { startAdminStage } from '../support/admin-stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'sekisho-migration-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ALL = [
  ...accessMigrations,
  ...gatewayMigrations,
  ...governanceMigrations,
  ...idempotencyMigrations,
  ...ragMigrations,
  ...evalsMigrations,
  ...jobQueueMigrations,
  ...jobMigrations,
  ...sourceMigrations,
  ...sqliteCacheMigrations,
];

describe('X6: a migration that fails', () => {
  test('stops the start with the name of the step, changes nothing, and the next start goes on when it is mended', async () => {
    const data = join(folder, 'broken');
    mkdirSync(data);
    const path = join(data, 'sekisho.db');
    const sqlite = new Sqlite(path);
    // Something of that name is there already, which no version of ours has made.
    sqlite.run('CREATE TABLE managed_settings (unexpected TEXT)');
    sqlite.close();
    const start = () =>
      Bun.spawn([process.execPath, join(import.meta.dirname, '../../src/main.ts'), 'serve'], {
        env: { PATH: process.env['PATH'], HOME: folder, SEKISHO_DATA: data, SEKISHO_CONFIG: config, PORT: '0' },
        stdout: 'pipe',
        stderr: 'pipe',
      });
    const config = join(folder, 'sekisho.yaml');
    await Bun.write(config, 'discover: false\nhandbook: false\n');

    const failed = start();
    const [out, err, code] = await Promise.all([
      new Response(failed.stdout).text(),
      new Response(failed.stderr).text(),
      failed.exited,
    ]);
    expect(code).toBe(1);
    expect(err).toContain('governance-001-managed-settings');
    expect(err).toContain('nothing of it was kept');
    expect(err).toContain('already exists');
    expect(out).not.toContain('ready');
    // Nobody is told of a server that is none.
    expect(await Bun.file(join(data, 'server.json')).exists()).toBe(false);

    const mended = new Sqlite(path);
    expect(mended.query('SELECT * FROM migrations WHERE id = ?').all('governance-001-managed-settings')).toEqual([]);
    mended.run('DROP TABLE managed_settings');
    mended.close();
    const good = start();
    const first = await good.stdout.getReader().read();
    const banner = new TextDecoder().decode(first.value);
    expect(banner).toContain('ready');
    // Once it answers it also listens for signals.
    expect((await fetch(`${/http:\/\/[\d.:]+/.exec(banner)?.[0] ?? ''}/ready`)).status).toBe(200);
    good.kill('SIGTERM');
    expect(await good.exited).toBe(0);
  }, 20_000);
});

describe('X6: an older replica beside a newer one', () => {
  test('every step only adds, and fills what it added, but for indexes: an older version need not fill it', () => {
    expect(new Set(ALL.map(({ id }) => id)).size).toBe(ALL.length);
    for (const { id, sql } of ALL) {
      const added = new Set<string>();
      for (const statement of sql) {
        const plain = statement.replaceAll(/\s+/g, ' ').trim();
        const [, table, column] = /^(?:CREATE|ALTER) TABLE (\w+)(?: ADD COLUMN (\w+))?/.exec(plain) ?? [];
        added.add(column === undefined ? `${table}` : `${table}.${column}`);
        const [, into] = /^INSERT INTO (\w+) /.exec(plain) ?? [];
        const [, updated, set] = /^UPDATE (\w+) SET (\w+) = \w+(?: WHERE [^,]+)?$/.exec(plain) ?? [];
        if (added.has(into ?? '') || added.has(`${updated}.${set}`)) continue;
        expect([id, plain]).toEqual([
          id,
          expect.stringMatching(
            /^(CREATE (TABLE|INDEX|UNIQUE INDEX|VIRTUAL TABLE) |DROP INDEX |ALTER TABLE \w+ ADD (COLUMN )?\w+ )/,
          ),
        ]);
        if (plain.startsWith('ALTER')) {
          expect([id, /NOT NULL/.test(plain) && !/DEFAULT/.test(plain)]).toEqual([id, false]);
        }
      }
    }
  });

  test('what a newer version adds does not disturb one that does not know it', async () => {
    const stage = await startAdminStage();
    const before = await stage.ask('POST', '/v1/keys', { name: 'before' });
    // As the replica of a newer version would, while this one runs.
    const newer = new Sqlite(join(stage.server.dataFolder, 'sekisho.db'));
    const tables = newer
      .query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    expect(tables.length).toBeGreaterThan(5);
    for (const { name } of tables) {
      newer.run(`ALTER TABLE ${name} ADD COLUMN added_later TEXT`);
      newer.run(`ALTER TABLE ${name} ADD COLUMN added_with_default BIGINT NOT NULL DEFAULT 7`);
    }
    newer.run('CREATE TABLE added_later (id TEXT PRIMARY KEY)');
    newer.run("INSERT INTO migrations (id, applied_ms) VALUES ('future-001-added', 1)");

    for (const restarted of [false, true]) {
      if (restarted) await stage.restart();
      expect((await stage.chat('fast', {}, String(before.json['key']))).status).toBe(200);
      const made = await stage.ask('POST', '/v1/keys', { name: 'after' });
      expect(made.status).toBe(201);
      expect((await stage.ask('PATCH', `/v1/keys/${String(made.json['id'])}`, { name: 'still' })).status).toBe(200);
      expect((await stage.ask('PUT', '/v1/routes/later', { targets: ['up/gpt-4o-mini'] })).status).toBe(200);
      expect((await stage.chat('later')).status).toBe(200);
      const documents = [{ id: 'd1', content: 'The gate closes at six.' }];
      expect((await stage.ask('POST', '/v1/index', { collection_name: 'gates', documents })).status).toBe(200);
      expect((await stage.ask('GET', '/v1/usage?by=route')).text).toContain('later');
    }
    newer.close();
    await stage.stop();
  });
});
