import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { migrate } from '../../../src/migrate.ts';
import type { Database, Statement } from '../../../src/ports/database.ts';
import { SekishoError } from '../../../src/spec/errors.ts';

/** One database under test. */
export interface DatabaseFixture {
  database: Database;
  /** The same state as another process sees it. */
  other: Database;
  /** The type of a column of bytes. */
  bytesType: 'BLOB' | 'BYTEA';
  stop(): Promise<void>;
}

const DRAWN = { numRuns: 200 };
const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : thrown),
  );

/** What every database must do. `make` gives an empty one of its own. */
export function databaseContract(name: string, make: () => Promise<DatabaseFixture>): void {
  describe(`database: ${name}`, () => {
    let fixture: DatabaseFixture;
    let database: Database;
    let other: Database;
    let next = 0;
    beforeAll(async () => {
      fixture = await make();
      ({ database, other } = fixture);
    });
    afterAll(() => fixture.stop());

    /** A table of its own, with the columns given. */
    async function table(columns: string): Promise<string> {
      const name = `t${next++}`;
      await database.batch([{ sql: `CREATE TABLE ${name} (${columns})`, params: [] }]);
      return name;
    }
    const count = async (of: string): Promise<unknown> =>
      (await database.all<{ n: unknown }>(`SELECT COUNT(*) AS n FROM ${of}`))[0]?.n;

    test('rows come as they were put in; changes say how many a statement met', async () => {
      const t = await table('id TEXT PRIMARY KEY, n BIGINT');
      expect(await database.run(`INSERT INTO ${t} VALUES (?, ?), (?, ?)`, ['a', 1, 'b', null])).toEqual({ changes: 2 });
      expect(await database.all(`SELECT id, n FROM ${t} ORDER BY id`)).toEqual([
        { id: 'a', n: 1 },
        { id: 'b', n: null },
      ]);
      expect(await database.run(`UPDATE ${t} SET n = 5`)).toEqual({ changes: 2 });
      expect(await database.run(`UPDATE ${t} SET n = 5 WHERE id = ?`, ['none'])).toEqual({ changes: 0 });
      expect(await other.all(`SELECT n AS "inCamelCase" FROM ${t} WHERE id = ?`, ['b'])).toEqual([{ inCamelCase: 5 }]);
      expect(await other.run(`DELETE FROM ${t} WHERE n > ?`, [4])).toEqual({ changes: 2 });
      expect(await database.all(`SELECT * FROM ${t}`)).toEqual([]);
    });

    test('of many who insert the same exactly one does', async () => {
      const t = await table('id TEXT PRIMARY KEY, who TEXT');
      const sql = `INSERT INTO ${t} VALUES (?, ?) ON CONFLICT DO NOTHING`;
      const taken = await Promise.all(
        Array.from({ length: 60 }, (_, at) => (at % 2 ? database : other).run(sql, ['one', String(at)])),
      );
      expect(taken.filter(({ changes }) => changes === 1)).toHaveLength(1);
      expect(await count(t)).toBe(1);
    });

    test('a batch is done in order, wholly or not at all', async () => {
      const t = await table('id TEXT PRIMARY KEY, n BIGINT');
      const insert = (id: string): Statement => ({ sql: `INSERT INTO ${t} VALUES (?, ?)`, params: [id, 1] });
      await database.batch([]);
      await database.batch([insert('a'), { sql: `UPDATE ${t} SET n = n + 1`, params: [] }, insert('b')]);
      expect(await other.all(`SELECT n FROM ${t} ORDER BY id`)).toEqual([{ n: 2 }, { n: 1 }]);
      expect(await failure(database.batch([insert('c'), insert('d'), insert('a')]))).toBe('storage_unavailable');
      expect(await failure(database.batch([insert('a')]))).toBe('storage_unavailable');
      expect(await count(t)).toBe(2);
    });

    test('batches of many at once are never seen half done, and none is lost', async () => {
      const t = await table('id TEXT PRIMARY KEY, n BIGINT NOT NULL');
      await database.run(`INSERT INTO ${t} VALUES ('from', 1000), ('to', 0)`);
      const move = ['-', '+'].map((sign, at) => ({
        sql: `UPDATE ${t} SET n = n ${sign} 1 WHERE id = ?`,
        params: [['from', 'to'][at] ?? ''],
      }));
      const broken = [...move, { sql: `INSERT INTO ${t} VALUES ('to', 0)`, params: [] }];
      const sums: unknown[] = [];
      let isOver = false;
      const watching = (async () => {
        while (!isOver) {
          sums.push(Number((await other.all<{ s: number }>(`SELECT SUM(n) AS s FROM ${t}`))[0]?.s));
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const outcomes = await Promise.all(
        Array.from({ length: 120 }, (_, at) => failure((at % 2 ? database : other).batch(at % 3 ? move : broken))),
      );
      isOver = true;
      await watching;
      expect(outcomes.filter((outcome) => outcome === 'no failure')).toHaveLength(80);
      expect(await database.all(`SELECT n FROM ${t} ORDER BY id`)).toEqual([{ n: 920 }, { n: 80 }]);
      expect(new Set(sums)).toEqual(new Set([1_000]));
    });

    test('parameters are values and never SQL, wherever they stand', async () => {
      const t = await table('id TEXT, text TEXT, n BIGINT, d DOUBLE PRECISION');
      const nasty = `'; DROP TABLE ${t}; -- ? $1 "`;
      await database.run(`INSERT INTO ${t} (id, text) VALUES ('?', ?)`, [nasty]);
      expect(await database.all(`SELECT text AS "a?b" FROM ${t} WHERE id = '?' AND text = ?`, [nasty])).toEqual([
        { 'a?b': nasty },
      ]);
      await database.run(`INSERT INTO ${t} (id, n, d) SELECT ?, COALESCE(MAX(n), 0) + 1, ? FROM ${t} WHERE true`, [
        'selected',
        2.5,
      ]);
      // One statement with a value in one row and none in the other, whole and broken numbers side by side.
      const rows = [
        ['x', '12', null, 3],
        ['y', null, 7, 0.25],
        ['z', '', Number.MAX_SAFE_INTEGER, null],
      ] as const;
      const marks = rows.map(() => '(?, ?, ?, ?)').join(', ');
      await database.run(`INSERT INTO ${t} VALUES ${marks}`, rows.flat());
      expect(await database.all(`SELECT * FROM ${t} WHERE id >= ? ORDER BY id LIMIT ?`, ['selected', 3])).toEqual([
        { id: 'selected', text: null, n: 1, d: 2.5 },
        { id: 'x', text: '12', n: null, d: 3 },
        { id: 'y', text: null, n: 7, d: 0.25 },
      ]);
      const sql = `SELECT id FROM ${t} WHERE n > ? OR d < ? ORDER BY id`;
      expect(await database.all(sql, [10, 1])).toEqual([{ id: 'y' }, { id: 'z' }]);
    });

    test('any text comes back, its length and every other character kept where NUL cannot be', async () => {
      const t = await table('id BIGINT, text TEXT');
      const texts = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.constantFrom('', "it's", '"', '\\', '\\x00', '{}', 'NULL', '関所', '👩‍👩‍👧', 'a\0b', '\r\n\t', '1e3'),
      );
      await fc.assert(
        fc.asyncProperty(texts, async (text) => {
          await database.run(`DELETE FROM ${t}`);
          await database.run(`INSERT INTO ${t} VALUES (1, ?)`, [text]);
          const rows = await other.all<{ text: string }>(`SELECT text FROM ${t} WHERE text = ?`, [text]);
          const stored = text.replaceAll('\0', '\uFFFD');
          expect(rows.map((row) => row.text.replaceAll('\0', '\uFFFD'))).toEqual([stored]);
        }),
        DRAWN,
      );
    });

    test('numbers come back as numbers, whole ones up to 2^53, fractions to the last bit', async () => {
      const t = await table('n BIGINT, d DOUBLE PRECISION, i INTEGER');
      await fc.assert(
        fc.asyncProperty(
          fc.maxSafeInteger(),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          async (n, d, i) => {
            await database.run(`DELETE FROM ${t}`);
            await database.run(`INSERT INTO ${t} VALUES (?, ?, ?)`, [n, d, i]);
            // There is one zero.
            expect(await database.all(`SELECT * FROM ${t}`)).toEqual([{ n, d: d + 0, i }]);
            expect(await other.all(`SELECT n FROM ${t} WHERE n >= ? AND n <= ?`, [n, n])).toEqual([{ n }]);
          },
        ),
        DRAWN,
      );
      await database.run(`DELETE FROM ${t}`);
      const [max] = [Number.MAX_SAFE_INTEGER];
      await database.run(`INSERT INTO ${t} (n) VALUES (?), (?), (NULL)`, [max, 1]);
      const sql = `SELECT COUNT(*) AS c, MAX(n) AS m, MIN(n) AS l, n / 10 AS q FROM ${t} WHERE n > 1 GROUP BY n / 10`;
      expect(await database.all(sql)).toEqual([{ c: 1, m: max, l: max, q: Math.floor(max / 10) }]);
      const [sum] = await database.all<{ s: unknown }>(`SELECT SUM(n) AS s FROM ${t} WHERE n < 10`);
      expect(Number(sum?.s)).toBe(1);
    });

    test('bytes come back as bytes', async () => {
      const t = await table(`id BIGINT, bytes ${fixture.bytesType}`);
      const sizes = [0, 1, 256, 100_000];
      for (const size of sizes) {
        const bytes = Uint8Array.from({ length: size }, (_, at) => at % 256);
        await database.run(`INSERT INTO ${t} VALUES (?, ?)`, [size, bytes]);
        const [row] = await other.all<{ bytes: unknown }>(`SELECT bytes FROM ${t} WHERE id = ?`, [size]);
        if (!(row?.bytes instanceof Uint8Array)) throw new Error('These are no bytes.');
        expect(Buffer.compare(row.bytes, bytes)).toBe(0);
      }
      await database.run(`INSERT INTO ${t} VALUES (?, ?)`, [-1, null]);
      expect(await database.all(`SELECT bytes FROM ${t} WHERE id = -1`)).toEqual([{ bytes: null }]);
    });

    test('a statement that cannot be done is an error of ours, and the next one goes on', async () => {
      const t = await table('id TEXT PRIMARY KEY');
      expect(await failure(database.all('SELECT * FROM nowhere'))).toBe('storage_unavailable');
      expect(await failure(database.run('SELEKT ?', [1]))).toBe('storage_unavailable');
      expect(await failure(database.batch([{ sql: 'INSERT INTO nowhere VALUES (1)', params: [] }]))).toBe(
        'storage_unavailable',
      );
      expect(await database.run(`INSERT INTO ${t} VALUES ('a')`)).toEqual({ changes: 1 });
    });

    test('migrations are applied once, in order, by whoever comes first of many who start at once', async () => {
      const steps = [
        { id: 'm-001', sql: ['CREATE TABLE m (id TEXT)', "INSERT INTO m VALUES ('first')"] },
        { id: 'm-002', sql: ['ALTER TABLE m ADD COLUMN n BIGINT', "INSERT INTO m VALUES ('second', 2)"] },
        { id: 'm-003', sql: ['CREATE INDEX m_id ON m (id)', "INSERT INTO m VALUES ('third', 3)"] },
      ];
      await Promise.all([database, other, database, other].map((each) => migrate(each, steps)));
      await migrate(database, steps);
      expect(await database.all('SELECT id, n FROM m ORDER BY COALESCE(n, 1)')).toEqual([
        { id: 'first', n: null },
        { id: 'second', n: 2 },
        { id: 'third', n: 3 },
      ]);
    });

    test('a step that fails leaves nothing behind and is named; mended, it is applied', async () => {
      const first = { id: 'f-001', sql: ['CREATE TABLE f (id TEXT)'] };
      const broken = { id: 'f-002', sql: ['CREATE TABLE g (id TEXT)', 'ALTER TABLE nowhere ADD COLUMN x TEXT'] };
      expect(await failure(migrate(database, [first, broken]))).toMatchObject({
        message: expect.stringContaining('f-002'),
      });
      await migrate(database, [first, { ...broken, sql: ['CREATE TABLE g (id TEXT)'] }]);
      expect(await count('g')).toBe(0);
    });

    test('what is asked of a closed database is an error of ours', async () => {
      await other.close();
      expect(await failure(other.all('SELECT 1'))).toBe('storage_unavailable');
      expect(await failure(other.batch([{ sql: 'SELECT 1', params: [] }]))).toBe('storage_unavailable');
    });
  });
}
