import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { isJsonObject, parseJson, stringAt } from '../lib/json.ts';
import type { Database } from '../ports/database.ts';
import { SekishoError } from '../spec/errors.ts';
import type { TenantId } from '../spec/ids.ts';
import type { RelevantItem } from './ranking-metrics.ts';

/** A question of which it is known what should be found. */
export interface GoldenCase {
  /** Made from the question where none is given, so that the same question comes in once. */
  id: string;
  question: string;
  relevant: readonly RelevantItem[];
  /** Drafted by a model, or written or imported by somebody. */
  origin: 'given' | 'drafted';
  createdMs: number;
}

export type NewGoldenCase = Pick<GoldenCase, 'question' | 'relevant'> & { id?: string; origin?: GoldenCase['origin'] };

/** A collection by the id that a rename leaves alone. */
export interface GoldenPlace {
  tenantId: TenantId;
  collectionId: string;
}

export interface GoldenSets {
  /** Takes cases in; one of the same id is replaced. All or none. @throws SekishoError invalid_request beyond the bounds. */
  put(place: GoldenPlace, cases: readonly NewGoldenCase[]): Promise<{ ids: string[] }>;
  list(place: GoldenPlace, page: { after: string; limit: number }): Promise<GoldenCase[]>;
  /** All of them, in the order of their ids. */
  all(place: GoldenPlace): Promise<GoldenCase[]>;
  count(place: GoldenPlace): Promise<number>;
  remove(place: GoldenPlace, id: string): Promise<boolean>;
  clear(place: GoldenPlace): Promise<number>;
  /** Removes what belongs to collections that are no more. */
  sweep(): Promise<void>;
}

const MOST_CASES = 10_000;
const MOST_RELEVANT = 100;
const LONGEST = 8_000;
const HERE = 'tenant_id = ? AND collection = ?';

interface Row {
  id: string;
  question: string;
  relevant: string;
  origin: GoldenCase['origin'];
  created_ms: number;
}

/** The golden sets of all collections. */
export function createGoldenSets({ database, clock }: { database: Database; clock: Clock }): GoldenSets {
  const count = async ({ tenantId, collectionId }: GoldenPlace): Promise<number> => {
    const sql = `SELECT COUNT(*) AS cases FROM golden_cases WHERE ${HERE}`;
    const [row] = await database.all<{ cases: number }>(sql, [tenantId, collectionId]);
    return Number(row?.cases ?? 0);
  };
  const list = async ({ tenantId, collectionId }: GoldenPlace, { after, limit }: { after: string; limit: number }) => {
    const sql = `SELECT id, question, relevant, origin, created_ms FROM golden_cases
      WHERE ${HERE} AND id > ? ORDER BY id LIMIT ?`;
    return (await database.all<Row>(sql, [tenantId, collectionId, after, limit])).map(caseOf);
  };
  return {
    put: async (place, cases) => {
      cases.forEach(judge);
      const ids = cases.map(({ id, question }) => id ?? idOf(question));
      if ((await count(place)) + cases.length > MOST_CASES) throw wrong(`a golden set has at most ${MOST_CASES} cases`);
      await database.batch(
        cases.map(({ question, relevant, origin = 'given' }, at) => ({
          sql: `INSERT INTO golden_cases (tenant_id, collection, id, question, relevant, origin, created_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, collection, id) DO UPDATE SET
            question = excluded.question, relevant = excluded.relevant, origin = excluded.origin`,
          params: [
            place.tenantId,
            place.collectionId,
            ids[at] ?? '',
            question,
            JSON.stringify(relevant),
            origin,
            clock.nowMs(),
          ],
        })),
      );
      return { ids };
    },
    list,
    all: (place) => list(place, { after: '', limit: MOST_CASES }),
    count,
    remove: async ({ tenantId, collectionId }, id) => {
      const sql = `DELETE FROM golden_cases WHERE ${HERE} AND id = ?`;
      return (await database.run(sql, [tenantId, collectionId, id])).changes > 0;
    },
    clear: async ({ tenantId, collectionId }) =>
      (await database.run(`DELETE FROM golden_cases WHERE ${HERE}`, [tenantId, collectionId])).changes,
    sweep: () =>
      database.batch(
        ['golden_cases', 'evaluation_runs'].map((table) => ({
          sql: `DELETE FROM ${table} WHERE NOT EXISTS (SELECT 1 FROM collections c
            WHERE c.tenant_id = ${table}.tenant_id AND COALESCE(c.id, c.name) = ${table}.collection)`,
          params: [],
        })),
      ),
  };
}

function judge({ id, question, relevant }: NewGoldenCase): void {
  if (question.trim() === '' || question.length > LONGEST) throw wrong(`a question has 1 to ${LONGEST} characters`);
  if (id !== undefined && (id === '' || id.length > 200)) throw wrong('an id has 1 to 200 characters');
  if (relevant.length === 0 || relevant.length > MOST_RELEVANT) {
    throw wrong(`a case names 1 to ${MOST_RELEVANT} relevant documents`);
  }
  if (
    relevant.some(({ document, quote }) => document === '' || document.length > 512 || (quote ?? '').length > LONGEST)
  ) {
    throw wrong('a relevant item has a document of 1 to 512 characters and a quote of no more than 8000');
  }
}

function wrong(problem: string): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `cases: ${problem}` }, param: 'cases' });
}

function idOf(question: string): string {
  return `case_${createHash('sha256').update(question.normalize('NFC').trim()).digest('hex').slice(0, 20)}`;
}

function caseOf(row: Row): GoldenCase {
  const relevant = parseJson(row.relevant);
  return {
    id: row.id,
    question: row.question,
    relevant: (Array.isArray(relevant) ? relevant.filter(isJsonObject) : []).map((each) => {
      const quote = stringAt(each, 'quote');
      return { document: stringAt(each, 'document') ?? '', ...(quote !== undefined && { quote }) };
    }),
    origin: row.origin,
    createdMs: row.created_ms,
  };
}
