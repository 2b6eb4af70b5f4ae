/**
 * The process ends at any call to a store while a document is closed to a group: what the caller was told holds, what
 * is stored and what the indexes say come to the same at the next start, and nobody reads in between what is not his.
 */
import { expect, test } from 'bun:test';
import { systemClock } from '../../src/lib/clock.ts';
import type { ChunkIndex } from '../../src/ports/chunk-index.ts';
import type { Database } from '../../src/ports/database.ts';
import { rightsFilter } from '../../src/rag/access.ts';
import { createAmendDocuments } from '../../src/rag/amend-documents.ts';
import { createCollections } from '../../src/rag/collections.ts';
import { createDocuments } from '../../src/rag/documents.ts';
import { createInTurn } from '../../src/rag/ingest/serial.ts';
import { visibleTo } from '../../src/rag/retrieve/read-candidates.ts';
import { SekishoError } from '../../src/spec/errors.ts';
import type { Principal } from '../../src/spec/principal.ts';
import { openStage, PLACE, PRINCIPAL, REF, type Stage } from '../support/ingest-stage.ts';

const member: Principal = { ...PRINCIPAL, role: 'member', groups: ['hr'] };
const outsider: Principal = { ...member, groups: [] };

function amending(stage: Stage, changed: string[], over: { database?: Database; index?: ChunkIndex } = {}) {
  const database = over.database ?? stage.database;
  return createAmendDocuments({
    database,
    clock: systemClock,
    collections: createCollections({ database, clock: systemClock }),
    documents: createDocuments({ database, clock: systemClock }),
    index: over.index ?? stage.index,
    inTurn: createInTurn(),
    onDocumentsChanged: (_tenant, _collection, ids) => Promise.resolve(void changed.push(String(ids))),
  });
}

/** Whether a caller finds the document in the index, and whether he may read what it holds. */
async function seen(stage: Stage, who: Principal): Promise<{ found: boolean; read: boolean }> {
  const where = rightsFilter(who);
  const hits = await stage.index.searchLexical(REF, ['gate'], { limit: 5, ...(where !== undefined && { where }) });
  const all = await stage.index.searchLexical(REF, ['gate'], { limit: 5 });
  const documents = createDocuments({ database: stage.database, clock: systemClock });
  const spans = await visibleTo(who, documents).hydrate(PLACE.tenantId, PLACE.collection, all);
  return { found: hits.length > 0, read: spans.some((span) => span !== undefined) };
}

for (const moment of ['before', 'after'] as const) {
  test(`a call that fails ${moment} it did its work`, async () => {
    let acknowledged = 0;
    for (let nth = 1; acknowledged === 0; nth++) {
      expect(nth).toBeLessThan(20);
      const stage = await openStage();
      await stage.startIngest().send([{ id: 'a', title: 'Gate', content: 'The gate of the road.' }]);
      expect(await seen(stage, outsider)).toEqual({ found: true, read: true });

      let calls = 0;
      const failing = async <T>(work: () => Promise<T>): Promise<T> => {
        const call = ++calls;
        const lost = (): SekishoError => new SekishoError('storage_unavailable', { cause: new Error('injected') });
        if (call > nth || (call === nth && moment === 'before')) throw lost();
        const done = await work();
        if (call === nth) throw lost();
        return done;
      };
      const database: Database = { ...stage.database, batch: (all) => failing(() => stage.database.batch(all)) };
      const index: ChunkIndex = { ...stage.index, retag: (...args) => failing(() => stage.index.retag(...args)) };
      const changed: string[] = [];
      const told = await amending(stage, changed, { database, index })
        .amend(PLACE, 'a', { access: { groups: ['hr'] } })
        .then(
          () => 'done',
          (thrown: unknown) => (thrown instanceof SekishoError ? thrown.code : String(thrown)),
        );
      if (told === 'done') acknowledged = nth;
      else expect(told).toBe('storage_unavailable');
      // From the first write on nobody reads what is not his, whatever the index still says.
      const stored = nth > 1 || moment === 'after';
      expect((await seen(stage, outsider)).read).toBe(!stored);

      await amending(stage, changed).resume(new AbortController().signal);
      expect(await seen(stage, outsider)).toEqual({ found: !stored, read: !stored });
      expect(await seen(stage, member)).toEqual({ found: true, read: true });
      if (stored) expect(changed).toContain('a');
      expect(await amending(stage, changed).resume(new AbortController().signal)).toBe(0);
      await stage.close();
    }
    expect(acknowledged).toBeGreaterThan(2);
  });
}
