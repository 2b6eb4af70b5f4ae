import { expect, test } from 'bun:test';
import { systemClock } from '../../src/lib/clock.ts';
import { createTextAnalyser } from '../../src/nlp/text-analyser.ts';
import { createRetrieve } from '../../src/rag/retrieve/retrieve.ts';
import { openStage, PLACE, PRINCIPAL } from '../support/ingest-stage.ts';

const REPLACEMENTS = 40;
const SEARCHERS = 3;

test('a document that is replaced again and again is found by every search, whole and in one version', async () => {
  const stage = await openStage();
  try {
    const { documents, collections, send } = stage.startIngest();
    const version = (n: number): string => `The gate opens at ${n} and closes ${n} hours later, says edition ${n}.`;
    const others = Array.from({ length: 8 }, (_, i) => ({ id: `other${i}`, content: `A lamp of the bridge, ${i}.` }));
    await send([{ id: 'gate', content: version(0) }, ...others]);

    const analyser = createTextAnalyser();
    const retrieve = createRetrieve({
      index: stage.index,
      analyser,
      clock: systemClock,
      embedQuery: async () => Float32Array.from([1, 1, 1, 1]),
      rerankers: () => undefined,
      collections,
      documents,
    });
    const { signal } = new AbortController();
    let running = true;
    let searches = 0;
    const search = async (): Promise<void> => {
      while (running) {
        const { hits } = await retrieve({
          principal: PRINCIPAL,
          collection: PLACE.collection,
          query: 'gate opens',
          topK: 20,
          signal,
          requestId: 'req_test',
        });
        searches += 1;
        const found = hits.filter(({ documentId }) => documentId === 'gate');
        expect(found.length, `search ${searches}`).toBeGreaterThan(0);
        for (const { content } of found) {
          expect(content).toBe(version(Number(/edition (\d+)/.exec(content)?.[1])));
        }
      }
    };
    const searching = Promise.all(Array.from({ length: SEARCHERS }, search));
    const failed = searching.catch(() => undefined);
    for (let n = 1; n <= REPLACEMENTS; n++) await send([{ id: 'gate', content: version(n) }]);
    running = false;
    await failed;
    await searching;
    expect(searches).toBeGreaterThan(REPLACEMENTS);
  } finally {
    await stage.close();
  }
}, 60_000);
