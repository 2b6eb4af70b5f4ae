import { afterAll, beforeAll, expect, test } from 'bun:test';
import { arrayAt, isJsonObject, objectAt, stringAt, type JsonObject } from '../../src/lib/json.ts';
import { startAdminStage, type AdminStage } from '../support/admin-stage.ts';
import { drawn, LATIN_FONT, pdfOf, shapeXml, slideParts, zipOf } from '../support/make-files.ts';

let stage: AdminStage;
beforeAll(async () => {
  stage = await startAdminStage();
  const filler = (at: number): string =>
    Array.from({ length: 40 }, (_, line) => `(Line ${line} of page ${at} is about the weather on the road.)`)
      .map((shown, line) => drawn([72, 740 - line * 16, shown]))
      .join('\n');
  const pages = [
    filler(1),
    filler(2),
    drawn([72, 700, '(The toll for a lacquered palanquin is seven mon.)']),
    filler(4),
  ];
  const slides = slideParts([
    { file: 1, xml: shapeXml(['Welcome'], 'title') },
    { file: 2, xml: shapeXml(['Passes'], 'title') + shapeXml(['A pilgrim shows a wooden tablet.']) },
  ]);
  const form = new FormData();
  form.append('file', new File([pdfOf(LATIN_FONT, pages)], 'tolls.pdf'));
  form.append('file', new File([Buffer.from(zipOf(slides))], 'talk.pptx'));
  const response = await fetch(`${stage.server.url}/v1/collections/gates/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stage.server.adminKey}` },
    body: form,
  });
  expect(await response.json()).toMatchObject({ indexed: 2, failed: [] });
});
afterAll(() => stage.stop());

const objects = (of: JsonObject, field: string): JsonObject[] => arrayAt(of, field).filter(isJsonObject);

test('a hit, a source and a citation tell the page on which they stand, and metadata is without the places of pages', async () => {
  const { json } = await stage.ask('POST', '/v1/search', {
    collection: 'gates',
    query: 'lacquered palanquin toll',
  });
  const [hit] = objects(json, 'hits');
  expect(stringAt(hit ?? {}, 'content')).toContain('palanquin');
  expect(hit?.['metadata']).toEqual({ file: 'tolls.pdf', pages: 4 });

  const asked = await stage.ask('POST', '/v1/query', {
    collection: 'gates',
    query: 'What is the toll for a lacquered palanquin?',
  });
  const [citation] = objects(asked.json, 'citations');
  expect(stringAt(citation ?? {}, 'sentence')).toContain('palanquin');
  expect(citation).toMatchObject({ document_id: 'tolls.pdf', page: 3 });
  for (const source of objects(asked.json, 'sources')) {
    expect(typeof source['page']).toBe('number');
    expect(objectAt(source, 'metadata')).not.toHaveProperty('page_starts');
  }
});

test('slides are pages', async () => {
  const { json } = await stage.ask('POST', '/v1/query', {
    collection: 'gates',
    query: 'What does a pilgrim show? A wooden tablet?',
  });
  const citation = objects(json, 'citations').find((each) => each['document_id'] === 'talk.pptx');
  expect(citation?.['page']).toBe(2);
});

test('a document tells where its pages begin', async () => {
  const { json } = await stage.ask('GET', '/v1/collections/gates/documents/tolls.pdf');
  const starts = arrayAt(json, 'page_starts').map(Number);
  const content = stringAt(json, 'content') ?? '';
  expect(starts.map((start) => content.slice(start, start + 8))).toEqual([
    'Line 0 o',
    'Line 0 o',
    'The toll',
    'Line 0 o',
  ]);
  expect(json['metadata']).toEqual({ file: 'tolls.pdf', pages: 4 });
});
