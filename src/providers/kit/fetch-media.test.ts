import { expect, test } from 'bun:test';
import { GuardedFetchError } from '../../lib/guarded-request.ts';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';
import { inlineMedia, type FetchMedia } from './fetch-media.ts';

const { signal } = new AbortController();
const request = (...parts: ContentPart[]): ChatRequest => ({ messages: [{ role: 'user', parts }] });
const image = (url: string): ContentPart => ({ type: 'image', url, cache: {} });
const gives =
  (bytes: readonly number[], mediaType: string): FetchMedia =>
  async () => ({ bytes: Uint8Array.from(bytes), mediaType });
const urlsIn = (made: ChatRequest): string[] =>
  made.messages.flatMap(({ parts }) =>
    parts
      .flatMap((part) => (part.type === 'tool-result' ? part.content : [part]))
      .flatMap((part) => (part.type === 'image' ? [part.url] : [])),
  );
const refusal = async (made: Promise<unknown>): Promise<SekishoError> => {
  const thrown: unknown = await made.catch((reason: unknown) => reason);
  return thrown instanceof SekishoError ? thrown : expect.unreachable();
};

test('a request without addresses is the same request', async () => {
  const plain = request({ type: 'text', text: 'http://a' }, image('data:image/png;base64,AA=='), image('gs://b/c'));
  expect(await inlineMedia(plain, { fetchMedia: undefined, signal })).toBe(plain);
});

test('pictures come in, also those in results; nothing else changes', async () => {
  const given = request({ type: 'text', text: 'see' }, image('https://a/1'), {
    type: 'tool-result',
    id: 'x',
    content: [image('HTTP://a/2'), { type: 'text', text: 'ok' }],
  });
  const made = await inlineMedia(given, { fetchMedia: gives([1, 2], 'image/tiff'), signal });
  expect(urlsIn(made)).toEqual(['data:image/tiff;base64,AQI=', 'data:image/tiff;base64,AQI=']);
  expect(made.messages[0]?.parts[1]).toMatchObject({ cache: {} });
  expect(urlsIn(given)).toEqual(['https://a/1', 'HTTP://a/2']);
});

test.each([
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff, 0xe0]],
  ['image/gif', [...Buffer.from('GIF89a')]],
  ['image/webp', [...Buffer.from('RIFF'), 1, 10, 3, 4, ...Buffer.from('WEBP')]],
])('%s is known by how it begins, whatever the host calls it', async (mediaType, bytes) => {
  for (const stated of ['application/octet-stream', 'image/x-wrong']) {
    const made = await inlineMedia(request(image('https://a/1')), { fetchMedia: gives(bytes, stated), signal });
    expect(urlsIn(made)[0]).toStartWith(`data:${mediaType};base64,`);
  }
});

test('the reason of the guarded fetch is told, any other is not', async () => {
  const fails = (reason: Error) =>
    refusal(inlineMedia(request(image('https://a/1')), { fetchMedia: () => Promise.reject(reason), signal }));
  expect((await fails(new GuardedFetchError('address', 'the host has no public address'))).message).toContain(
    'the host has no public address',
  );
  expect((await fails(new Error('10.0.0.1 refused'))).message).not.toContain('10.0.0.1');
});

test('too many are refused before the first is fetched', async () => {
  const images = Array.from({ length: 21 }, (_, index) => image(`https://a/${index}`));
  const fetchMedia: FetchMedia = () => expect.unreachable();
  expect((await refusal(inlineMedia(request(...images), { fetchMedia, signal }))).code).toBe('invalid_request');
});

test('a caller who leaves is one who left', async () => {
  const controller = new AbortController();
  const fetchMedia: FetchMedia = () => {
    controller.abort();
    return Promise.reject(new Error('aborted'));
  };
  const made = inlineMedia(request(image('https://a/1')), { fetchMedia, signal: controller.signal });
  expect((await refusal(made)).code).toBe('caller_left');
});
