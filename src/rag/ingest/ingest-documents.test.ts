import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { openStage, PLACE, PRINCIPAL, type Stage } from '../../../test/support/ingest-stage.ts';
import { SekishoError } from '../../spec/errors.ts';
import type { NewDocument } from './accept-document.ts';
import { zipOf } from '../../../test/support/make-files.ts';
import { createIngestFiles } from './ingest-files.ts';
import { createParseFile } from './parse/parse-file.ts';
import { createParsePool } from './parse/parse-pool.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await openStage();
});
afterEach(() => stage.close());

const never = new AbortController().signal;
const outcome = { indexed: 0, unchanged: 0, failed: [], chunks: 0 };
const document = (id: string, content: string): NewDocument => ({ id, title: '', content });
const refusal = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'done').catch((error: unknown) => error);

describe('documents are indexed', () => {
  test('once: what has not changed costs no model call', async () => {
    let calls = 0;
    const { send } = stage.startIngest({ beforeEmbed: () => void calls++ });
    const documents = [document('a', 'The gate opens.'), document('b', '関所は閉まる。')];
    expect(await send(documents)).toEqual({ ...outcome, indexed: 2, chunks: 2 });
    expect(await send(documents)).toEqual({ ...outcome, unchanged: 2 });
    expect(await send([{ ...document('a', 'The gate opens.'), metadata: { year: 1603 } }])).toMatchObject({
      indexed: 1,
    });
    expect(calls).toBe(2);
  });

  test('without an id, the same content is the same document', async () => {
    const { send } = stage.startIngest();
    await send([{ content: 'The gate opens.' }]);
    expect(await send([{ content: 'The gate opens.' }])).toEqual({ ...outcome, unchanged: 1 });
  });

  test('a front matter stays in the text and moves no heading', async () => {
    const { send, documents } = stage.startIngest();
    const rules = 'A rule of the gate is kept. '.repeat(100);
    const content = `---\ntitle: Named\n---\n# Rules\n\n${rules}\n\n# Last\n\nThe unique end. ${rules}`;
    await send([{ id: 'a', content }]);
    expect(await documents.get(PLACE, 'a')).toMatchObject({ title: 'Named', text: content });
    expect(await stage.find('unique')).toEqual([expect.stringMatching(/^a: # Last\n\nThe unique end\./)]);
  });

  test('more than one batch, with progress to the end', async () => {
    const told: [number, number][] = [];
    const { ingest } = stage.startIngest();
    const documents = Array.from({ length: 1_300 }, (_, at) => document(`d${at}`, `Traveller number ${at}.`));
    const onProgress = (done: number, total: number): void => void told.push([done, total]);
    const request = { principal: PRINCIPAL, collection: 'gate', documents, signal: never, requestId: 'req_a' as const };
    expect(await ingest.index({ ...request, onProgress })).toMatchObject({ indexed: 1_300 });
    expect(told.at(-1)).toEqual([1_300, 1_300]);
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort((a, b) => a - b));
    expect(await stage.chunks()).toEqual([1_300, 1_300]);
  });
});

describe('a changed document', () => {
  test('answers from its old version until the new one is in the index, then from the new one alone', async () => {
    const seen: string[] = [];
    const { send } = stage.startIngest({
      beforeEmbed: async () => void seen.push(...(await stage.find('gate'))),
    });
    await send([document('a', 'The gate is red.')]);
    await send([document('a', 'It was said that the gate is blue.')]);
    expect(seen).toEqual(['a: The gate is red.']);
    expect(await stage.find('gate')).toEqual(['a: It was said that the gate is blue.']);
    expect(await stage.chunks()).toEqual([1, 1]);
  });

  test('that becomes shorter leaves nothing of what it was', async () => {
    const { send } = stage.startIngest();
    await send([document('a', 'One sentence about the gate. '.repeat(300))]);
    await send([document('a', 'The gate.')]);
    expect(await stage.find('gate')).toEqual(['a: The gate.']);
  });

  test('keeps its old version where the new one cannot be indexed', async () => {
    const { send } = stage.startIngest();
    await send([document('a', 'The gate is red.')]);
    const failing = stage.startIngest({
      beforeEmbed: () => {
        throw new SekishoError('upstream_unreachable', { values: { target: 'toy' } });
      },
    });
    expect((await failing.send([document('a', 'The gate is blue.')])).failed).toHaveLength(1);
    expect(await stage.find('gate')).toEqual(['a: The gate is red.']);
    expect(await failing.documents.get(PLACE, 'a')).toMatchObject({ state: 'ready', failure: expect.any(String) });
  });

  test('sent again as it was takes back the change that could not be indexed', async () => {
    const { send, ingest } = stage.startIngest();
    await send([document('a', 'The gate is red.')]);
    const down = stage.startIngest({
      beforeEmbed: () => {
        throw new SekishoError('upstream_unreachable', { values: { target: 'toy' } });
      },
    });
    await down.send([document('a', 'The gate is blue.')]);
    await send([document('a', 'The gate is red.')]);
    await ingest.resume(never);
    expect(await stage.find('gate')).toEqual(['a: The gate is red.']);
    expect(await stage.chunks()).toEqual([1, 1]);
  });
});

describe('who keeps answers is told of documents that change', () => {
  test('that there are new ones, and not of those that come again as they were', async () => {
    const told: unknown[] = [];
    const { send, ingest } = stage.startIngest({
      onDocumentsChanged: async (...change) => void told.push(change),
    });
    await send([document('a', 'The gate is red.'), document('b', 'The wall is high.')]);
    await send([document('a', 'The gate is red.')]);
    expect(told).toEqual([[PLACE.tenantId, PLACE.collection, 'new']]);
    told.length = 0;
    await send([document('a', 'The gate is blue.'), document('c', 'The moat is deep.')]);
    await ingest.remove(PLACE, ['b']);
    await ingest.removeCollection(PLACE);
    expect(told).toEqual([
      [PLACE.tenantId, PLACE.collection, 'new'],
      [PLACE.tenantId, PLACE.collection, ['a']],
      [PLACE.tenantId, PLACE.collection, ['b']],
      [PLACE.tenantId, PLACE.collection, 'all'],
    ]);
  });

  test('while the change is still noted as unfinished, so that a crash repeats it', async () => {
    const unfinished: unknown[] = [];
    const { send, ingest, documents, collections } = stage.startIngest({
      onDocumentsChanged: async (_tenantId, _collection, changed) => {
        const gone = await collections.unfinishedDeletions();
        unfinished.push([changed, await documents.unfinishedPlaces(), gone.map(({ name }) => name)]);
      },
    });
    await send([document('a', 'The gate is red.')]);
    await send([document('a', 'The gate is blue.')]);
    await ingest.remove(PLACE, ['a']);
    await ingest.removeCollection(PLACE);
    expect(unfinished).toEqual([
      ['new', [PLACE], []],
      [['a'], [PLACE], []],
      [['a'], [PLACE], []],
      ['all', [], [PLACE.collection]],
    ]);
  });
});

describe('what cannot be indexed', () => {
  test('fails alone where it is one text that the model refuses', async () => {
    const { send, documents } = stage.startIngest({
      beforeEmbed: (texts) => {
        if (texts.some((text) => text.includes('poison'))) throw new SekishoError('content_refused');
      },
    });
    const sent = Array.from({ length: 20 }, (_, at) => document(`d${at}`, at === 13 ? 'poison' : `Traveller ${at}.`));
    const told = await send(sent);
    expect(told).toMatchObject({ indexed: 19, failed: [{ id: 'd13', reason: expect.stringContaining('refused') }] });
    expect(await documents.get(PLACE, 'd13')).toMatchObject({ state: 'failed', failure: expect.any(String) });
    expect(await stage.chunks()).toEqual([19, 19]);
  });

  test('fails at once where the model cannot be reached, and is finished when it can', async () => {
    let calls = 0;
    const down = stage.startIngest({
      beforeEmbed: () => {
        calls++;
        throw new SekishoError('upstream_unreachable', { values: { target: 'toy' } });
      },
    });
    const sent = Array.from({ length: 3_000 }, (_, at) => document(`d${at}`, `Traveller ${at}.`));
    expect((await down.send(sent)).failed).toHaveLength(3_000);
    expect(calls).toBeLessThanOrEqual(2);
    expect(await down.ingest.resume(never)).toEqual({ indexed: 0, failed: 500, deleted: 0 });
    expect(await stage.startIngest().ingest.resume(never)).toEqual({ indexed: 3_000, failed: 0, deleted: 0 });
    expect(await stage.chunks()).toEqual([3_000, 3_000]);
  });

  test('a caller who leaves after acceptance loses nothing', async () => {
    const leaving = new AbortController();
    const { send } = stage.startIngest({ beforeEmbed: () => leaving.abort() });
    expect(await send([document('a', 'The gate.')], leaving.signal)).toMatchObject({ indexed: 1 });
    expect(await refusal(send([document('b', 'The gate.')], leaving.signal))).toMatchObject({ code: 'caller_left' });
  });
});

describe('a deletion', () => {
  test('takes the document, its chunks and its pending version', async () => {
    const { send, ingest, documents } = stage.startIngest();
    await send([document('a', 'The gate.'), document('b', 'The gate.')]);
    await ingest.remove(PLACE, ['a']);
    expect(await stage.find('gate')).toEqual(['b: The gate.']);
    expect(await documents.get(PLACE, 'a')).toBeUndefined();
    expect(await refusal(ingest.remove(PLACE, ['a']))).toMatchObject({ code: 'document_not_found' });
  });

  test('that was begun shows nothing more, and is finished by a restart', async () => {
    const { send, documents } = stage.startIngest();
    await send([document('a', 'The gate.'), document('b', 'The gate.')]);
    await documents.markDeleting(PLACE, ['a']);
    expect(await stage.find('gate')).toEqual(['b: The gate.']);
    expect(await stage.startIngest().ingest.resume(never)).toMatchObject({ deleted: 1 });
    expect(await stage.chunks()).toEqual([1, 1]);
  });

  test('of a collection leaves room for a new one of the same name, also while documents come in', async () => {
    const { send, ingest, collections } = stage.startIngest();
    await send([document('a', 'The gate.')]);
    const [, , told] = await Promise.all([
      send([document('b', 'The gate.')]),
      ingest.removeCollection(PLACE),
      send([document('c', 'The gate.')]),
    ]);
    expect(told).toMatchObject({ indexed: 1 });
    expect(await stage.find('gate')).toEqual(['c: The gate.']);
    expect(await ingest.check(PLACE)).toEqual({ orphans: [], missing: [] });
    await ingest.removeCollection(PLACE);
    expect(await collections.list(PLACE.tenantId)).toEqual([]);
    expect(await refusal(ingest.removeCollection(PLACE))).toMatchObject({ code: 'collection_not_found' });
  });

  test('of a collection that a store cut short is finished by asking again', async () => {
    const { send, ingest, collections } = stage.startIngest();
    await send([document('a', 'The gate.')]);
    // As it is left by a store that failed after the first step.
    await collections.markDeleting(PLACE.tenantId, PLACE.collection);
    expect(await refusal(send([document('a', 'The gate.')]))).toMatchObject({ code: 'conflict' });
    await ingest.removeCollection(PLACE);
    expect(await send([document('b', 'The gate.')])).toMatchObject({ indexed: 1 });
    expect(await stage.find('gate')).toEqual(['b: The gate.']);
  });
});

describe('is refused, and nothing of the request is stored', () => {
  const cases: [string, NewDocument[]][] = [
    ['an id that comes twice', [document('a', 'One.'), document('a', 'Two.')]],
    ['an empty id', [document('', 'One.')]],
    ['too long an id', [document('x'.repeat(513), 'One.')]],
    ['no content', [document('a', ' \n')]],
    ['too much content', [document('a', 'x'.repeat(10_000_001))]],
    ['too much metadata', [{ ...document('a', 'One.'), metadata: { note: 'x'.repeat(70_000) } }]],
    ['too many values', [{ ...document('a', 'One.'), metadata: { list: Array.from({ length: 600 }, (_, at) => at) } }]],
    ['a key that names a prototype', [{ ...document('a', 'One.'), metadata: { deep: [{ constructor: 1 }] } }]],
    [
      'metadata nested deep',
      [{ ...document('a', 'One.'), metadata: JSON.parse(`{"a":${'['.repeat(30)}${']'.repeat(30)}}`) }],
    ],
  ];
  test.each(cases)('%s', async (_, documents) => {
    const { send, collections } = stage.startIngest();
    expect(await refusal(send([document('good', 'Good.'), ...documents]))).toMatchObject({ code: 'invalid_request' });
    expect(await collections.list(PLACE.tenantId)).toEqual([]);
  });

  test('another embedding model', async () => {
    await stage.startIngest().send([document('a', 'The gate.')]);
    const other = stage.startIngest({ fingerprint: 'toy@2' });
    expect(await refusal(other.send([document('b', 'The gate.')]))).toMatchObject({ code: 'fingerprint_mismatch' });
  });
});

describe('files', () => {
  const file = (name: string, content: string) => ({ name, bytes: new TextEncoder().encode(content) });
  const upload = (files: { name: string; bytes: Uint8Array }[]) =>
    createIngestFiles({ ...stage.startIngest(), parseFile: createParseFile(createParsePool()) })({
      principal: PRINCIPAL,
      collection: PLACE.collection,
      files,
      signal: never,
      requestId: 'req_files',
    });

  test('become documents by their names, and fail alone', async () => {
    const told = await upload([
      file('en/gate.md', '# Gate\n\nOpens at six.'),
      file('rows.jsonl', '{"id":"x","text":"Row one opens."}\n{"id":"x","text":"Row two opens."}\n{"text":""}'),
      file('broken.pdf', 'no'),
      file('same.txt', 'First opens.'),
      file('same.txt', 'Second opens.'),
      file('long.txt', 'long '.repeat(2_100_000)),
      file(
        'odd.json',
        JSON.stringify({ text: 'Odd.', metadata: { list: Array.from({ length: 600 }, (_, at) => at) } }),
      ),
    ]);
    expect(told.indexed).toBe(3);
    expect(told.failed.map(({ id }) => id).sort()).toEqual([
      'broken.pdf',
      'long.txt',
      'odd.json',
      'rows.jsonl#x',
      'same.txt',
    ]);
    expect(await stage.find('opens')).toEqual([
      'en/gate.md: # Gate\n\nOpens at six.',
      'rows.jsonl#x: Row one opens.',
      'same.txt: First opens.',
    ]);
  });

  test('of the same name replace what an earlier one held, once the new is in', async () => {
    const stageIds = async (): Promise<string[]> =>
      (await stage.startIngest().documents.list(PLACE, { after: '', limit: 100 })).map(({ id }) => id);
    const rows = (...texts: string[]) => file('rows.jsonl', texts.map((text) => JSON.stringify({ text })).join('\n'));
    const archive = (files: Record<string, string>) => ({ name: 'a.zip', bytes: zipOf(files) });
    // Documents that only look as if they were of the file are not.
    await stage.startIngest().send([document('rows.jsonl#own', 'Opens too.'), document('a.zip/own', 'Opens too.')]);
    await upload([
      rows('One opens.', 'Two opens.', 'Three opens.'),
      archive({ 'a.md': 'A opens.', 'b.md': 'B opens.', 'c.jsonl': '{"text":"C"}\n{"text":"D"}' }),
    ]);
    await upload([rows('One opens.', 'Two opens anew.'), archive({ 'a.md': 'A opens.', 'c.jsonl': '{"text":"C"}' })]);
    expect(await stageIds()).toEqual([
      'a.zip/a.md',
      'a.zip/c.jsonl',
      'a.zip/own',
      'rows.jsonl#1',
      'rows.jsonl#2',
      'rows.jsonl#own',
    ]);
    expect(await stage.find('three')).toEqual([]);
    // One record has the name of its file.
    await upload([rows('One alone opens.')]);
    expect((await stageIds()).filter((id) => id.startsWith('rows'))).toEqual(['rows.jsonl', 'rows.jsonl#own']);
    await upload([rows('One opens.', 'Two opens.')]);
    expect((await stageIds()).filter((id) => id.startsWith('rows'))).toEqual([
      'rows.jsonl#1',
      'rows.jsonl#2',
      'rows.jsonl#own',
    ]);
  });

  test('keep what an earlier one held where the new cannot be read or indexed', async () => {
    const rows = (...texts: string[]) => file('rows.jsonl', texts.map((text) => JSON.stringify({ text })).join('\n'));
    const archive = (files: Record<string, string>) => ({ name: 'a.zip', bytes: zipOf(files) });
    const ids = async (): Promise<string[]> =>
      (await stage.startIngest().documents.list(PLACE, { after: '', limit: 100 })).map(({ id }) => id);
    await upload([rows('One.', 'Two.'), archive({ 'a.md': 'A.', 'b.csv': 'a,b\n1,2' })]);
    const before = await ids();
    await upload([file('rows.jsonl', '{"text":'), archive({ 'a.md': 'A, changed.', 'b.csv': 'a,b\n"1,2' })]);
    expect(await ids()).toEqual(before);
    const failing = createIngestFiles({
      ...stage.startIngest({
        beforeEmbed: () => {
          throw new SekishoError('upstream_failed', { values: { target: 'toy' } });
        },
      }),
      parseFile: createParseFile(createParsePool()),
    });
    const request = {
      principal: PRINCIPAL,
      collection: PLACE.collection,
      signal: never,
      requestId: 'req_files' as const,
    };
    expect((await failing({ ...request, files: [rows('Only one now.')] })).failed).toHaveLength(1);
    expect((await ids()).filter((id) => before.includes(id))).toEqual(before);
  });

  test('of which none can be read make no collection', async () => {
    expect(await upload([file('a.exe', 'MZ')])).toMatchObject({ indexed: 0, failed: [{ id: 'a.exe' }] });
    expect(await stage.startIngest().collections.list(PLACE.tenantId)).toEqual([]);
  });
});
