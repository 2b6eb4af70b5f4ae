import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { createStaticEncoder } from '../../nlp/embed/static-encoder.ts';
import { createTextAnalyser } from '../../nlp/text-analyser.ts';
import type { ChunkerSettings } from '../../spec/collection.ts';
import { toSekishoError } from '../../spec/errors.ts';
import type { PendingDocument } from '../documents.ts';
import { createPrepareDocuments, type Prepared } from './prepare-documents.ts';
import { createTextThreads, type TextThreads } from './text-threads.ts';

const modelPath = join(import.meta.dir, '../../../models/static-en-ja/model.bin');
const encoder = createStaticEncoder(await Bun.file(modelPath).bytes());
const analyser = createTextAnalyser();
const RECURSIVE: ChunkerSettings = { kind: 'recursive', targetTokens: 300, maxTokens: 500 };
const PARENTS: ChunkerSettings = { kind: 'parent-child', childTokens: 60, parentTokens: 400 };

const opened: TextThreads[] = [];
function threadsWith(options: Partial<Parameters<typeof createTextThreads>[0]> = {}): TextThreads {
  const threads = createTextThreads({ modelPath, ...options });
  opened.push(threads);
  return threads;
}
afterEach(() => {
  for (const threads of opened.splice(0)) threads.close();
});

function document(id: string, text: string): PendingDocument {
  const headings = [{ level: 1, start: 0, text: 'Gates' }];
  return { id, title: `About ${id}`, text, metadata: {}, headings, access: null, hash: id };
}
const DOCUMENTS = Array.from({ length: 200 }, (_, i) =>
  document(`d${i}`, `# Gates\nGate ${i} is red. ${'It stands on the road. '.repeat(60)}関所は${i}番です。`),
);

async function prepared(threads: Pick<TextThreads, 'prepare'> | undefined, chunker = RECURSIVE): Promise<Prepared[]> {
  const { sentences, terms } = analyser;
  const deps = { analyser: { sentences, terms }, countTokens: encoder.countTokens, ...(threads && { threads }) };
  const all: Prepared[] = [];
  const embed = (): Promise<never> => Promise.reject(new Error('not asked'));
  for await (const group of createPrepareDocuments(deps)(DOCUMENTS, { chunker, embed })) all.push(...group);
  return all;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (thrown: unknown) => toSekishoError(thrown).code,
  );
}

describe('text on another thread', () => {
  test.each([[RECURSIVE], [PARENTS]])('is cut and tokenised as it is here: %o', async (chunker) => {
    const there = await prepared(threadsWith(), chunker);
    expect(there).toEqual(await prepared(undefined, chunker));
    expect(there.map(({ document: { id } }) => id)).toEqual(DOCUMENTS.map(({ id }) => id));
  });

  test('gets the vectors and the count of tokens that it gets here', async () => {
    const texts = ['The gate is red.', '', '門は赤い。'];
    const { vectors, tokens } = await threadsWith().encode(texts);
    expect(vectors).toEqual(texts.map((text) => encoder.encode(text)));
    expect(tokens).toBe(texts.reduce((sum, text) => sum + encoder.countTokens(text), 0));
  });

  test('that takes too long is given up, and what comes later is done', async () => {
    const threads = threadsWith({ timeoutMs: 1 });
    expect(await codeOf(threads.encode(['The gate is red. '.repeat(100_000)]))).toBe('internal');
    const patient = threadsWith();
    expect((await patient.encode(['gate'])).vectors).toHaveLength(1);
  });

  test('that is under way at the end stays undone, and the next task starts a worker again', async () => {
    const threads = threadsWith();
    const encoding = codeOf(threads.encode(['The gate is red. '.repeat(10_000)]));
    threads.close();
    expect(await encoding).toBe('storage_unavailable');
    expect((await threads.encode(['gate'])).tokens).toBeGreaterThan(0);
  });

  test('waits in a queue that has an end', async () => {
    const threads = threadsWith({ maxWaiting: 2 });
    const first = [threads.encode(['a']), threads.encode(['b'])];
    expect(await codeOf(threads.encode(['c']))).toBe('overloaded');
    await Promise.all(first);
    expect(await codeOf(threads.encode(['c']))).toBe('none');
  });

  test('without a model fails with a reason', async () => {
    expect(await codeOf(threadsWith({ modelPath: '/nowhere' }).encode(['a']))).toBe('internal');
  });
});

describe('a document that a worker dies of', () => {
  test('fails alone', async () => {
    const threads = threadsWith();
    const dying: Pick<TextThreads, 'prepare'> = {
      prepare: async (documents, chunker) => {
        if (documents.some(({ title }) => title === 'About d77')) throw toSekishoError(new Error('it died'));
        return threads.prepare(documents, chunker);
      },
    };
    const there = await prepared(dying);
    expect(there.filter((each) => 'error' in each).map((each) => each.document.id)).toEqual(['d77']);
    expect(there).toHaveLength(DOCUMENTS.length);
  });
});
