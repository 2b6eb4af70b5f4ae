import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { openStage, PLACE, type Stage, type StageOptions } from '../../../test/support/ingest-stage.ts';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import { defaultCollectionSettings, type ChunkerSettings } from '../../spec/collection.ts';
import { SekishoError } from '../../spec/errors.ts';
import { indexRefOf } from '../collections.ts';
import { indexFingerprint } from '../versions/index-fingerprint.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

const analyser = createTextAnalyser();
const TEXT = 'The gate is red. It stands on the old road. 門番は帳面をつける。旅人は手形を見せる。The moat is deep.';
const SEMANTIC: ChunkerSettings = { kind: 'semantic', percentile: 80, maxTokens: 16 };

/** An ingest into a collection that cuts with the chunker. */
async function withChunker(chunker: ChunkerSettings, options: StageOptions = {}) {
  const started = stage.startIngest(options);
  const { tenantId, collection: name } = PLACE;
  const defaults = defaultCollectionSettings('toy');
  const settings = { ...defaults, index: { ...defaults.index, chunker } };
  const fingerprint = indexFingerprint({ fingerprintOf: () => 'toy@1', analyser }, settings.index);
  const collection = await started.collections.create({ tenantId, name, settings, fingerprint });
  return { ...started, ref: indexRefOf(collection) };
}

describe('the chunker of the collection', () => {
  test.each<[ChunkerSettings, string]>([
    [{ kind: 'recursive', targetTokens: 300, maxTokens: 500 }, TEXT],
    [{ kind: 'fixed', tokens: 20, overlapTokens: 5 }, TEXT],
    [{ kind: 'structure', maxTokens: 100 }, TEXT],
    [{ kind: 'sentence-window', sentences: 1 }, 'It stands on the old road. 門番は帳面をつける。旅人は手形を見せる。'],
    [{ kind: 'parent-child', childTokens: 16, parentTokens: 100 }, TEXT],
    [SEMANTIC, TEXT],
  ])('%o cuts what is indexed', async (chunker, handedOn) => {
    const { send, ref } = await withChunker(chunker);
    const told = await send([{ id: 'a', content: TEXT }]);
    expect(told).toMatchObject({ indexed: 1, failed: [] });
    expect(await stage.index.count(ref)).toBe(told.chunks);
    const [hit] = await stage.index.searchLexical(ref, analyser.terms('帳面'), { limit: 1 });
    const { start, end } = hit ?? { start: 0, end: 0 };
    expect(TEXT.slice(start, end)).toContain('帳面');
    const span = hit?.passage ?? { start: 0, end: TEXT.length };
    expect(TEXT.slice(span.start, span.end)).toBe(handedOn);
    expect(hit?.passage !== undefined).toBe(['sentence-window', 'parent-child'].includes(chunker.kind));
  });
});

describe('a chunker that asks the model', () => {
  test('keeps only the document back of which the model refuses a sentence', async () => {
    const { send, documents } = await withChunker(SEMANTIC, {
      beforeEmbed: (texts) => {
        if (texts.some((text) => text.includes('poison'))) throw new SekishoError('content_refused');
      },
    });
    const told = await send([
      { id: 'a', content: TEXT },
      { id: 'b', content: `${TEXT} This is poison.` },
      { id: 'c', content: TEXT },
    ]);
    expect(told).toMatchObject({ indexed: 2, failed: [{ id: 'b' }] });
    expect((await documents.get(PLACE, 'b'))?.state).toBe('failed');
  });

  test('that cannot be reached fails all at once, and all is finished when it can', async () => {
    let calls = 0;
    const down = await withChunker(SEMANTIC, {
      beforeEmbed: () => {
        calls++;
        throw new SekishoError('upstream_unreachable', { values: { target: 'toy' } });
      },
    });
    const sent = Array.from({ length: 50 }, (_, at) => ({ id: `d${at}`, content: `${TEXT} It is gate ${at}.` }));
    expect((await down.send(sent)).failed).toHaveLength(50);
    expect(calls).toBe(1);
    const up = stage.startIngest();
    const told = await up.ingest.resume(new AbortController().signal);
    expect(told).toMatchObject({ indexed: 50, failed: 0 });
    expect(await stage.index.count(down.ref)).toBeGreaterThan(50);
  });
});
