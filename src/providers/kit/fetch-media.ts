import { GuardedFetchError } from '../../lib/guarded-request.ts';
import type { ChatRequest, ContentPart } from '../../spec/chat.ts';
import { SekishoError } from '../../spec/errors.ts';

/** Gets what a URL of the caller points at; a GuardedFetchError says why not, in words that the caller may read. */
export type FetchMedia = (url: string, signal: AbortSignal) => Promise<{ bytes: Uint8Array; mediaType: string }>;

/** More pictures than this are not fetched for one call. */
const MAX_FETCHED = 20;
/** So many are fetched at once. */
const AT_ONCE = 4;
/** What the fetched pictures of one call may weigh together. */
const MAX_TOTAL_BYTES = 32 * 1024 * 1024;
const IMAGE = /^image\/[a-z0-9.+-]+$/;
/** How the pictures begin that every vendor takes; hosts often name them wrongly, or not at all. */
const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG\r\n/, 'image/png'],
  [/^\xff\xd8\xff/, 'image/jpeg'],
  [/^GIF8[79]a/, 'image/gif'],
  [/^RIFF[^]{4}WEBP/, 'image/webp'],
];

/**
 * The request with every picture that it names by an http(s) address brought in as data, for wires that take
 * nothing else. The same address is fetched once; a request without one is returned as it is.
 * @throws SekishoError invalid_request where a picture cannot be had or is too much; caller_left.
 */
export async function inlineMedia(
  request: ChatRequest,
  { fetchMedia, signal }: { fetchMedia: FetchMedia | undefined; signal: AbortSignal },
): Promise<ChatRequest> {
  const urls = new Set(request.messages.flatMap((message) => message.parts.flatMap(addressesIn)));
  if (urls.size === 0) return request;
  if (fetchMedia === undefined) throw refused('the target takes images as data: URLs only');
  if (urls.size > MAX_FETCHED) throw refused(`more than ${MAX_FETCHED} images given by address`);
  const fetchImage = async (url: string): Promise<{ url: string; bytes: Uint8Array; mediaType: string }> => {
    const { bytes, mediaType } = await fetchMedia(url, signal).catch((thrown: unknown) => {
      if (signal.aborted) throw new SekishoError('caller_left', { cause: thrown });
      const why = thrown instanceof GuardedFetchError ? thrown.message : 'the fetch failed';
      throw refused(`an image could not be fetched: ${why}`, thrown);
    });
    return { url, bytes, mediaType: imageType(bytes, mediaType) };
  };
  const found = new Map<string, string>();
  let total = 0;
  const queue = [...urls];
  for (let group = queue.splice(0, AT_ONCE); group.length > 0; group = queue.splice(0, AT_ONCE)) {
    for (const { url, bytes, mediaType } of await Promise.all(group.map((each) => fetchImage(each)))) {
      total += bytes.byteLength;
      if (total > MAX_TOTAL_BYTES) throw refused(`the images are larger than ${MAX_TOTAL_BYTES} bytes together`);
      found.set(url, `data:${mediaType};base64,${Buffer.from(bytes).toString('base64')}`);
    }
  }
  const inlined = (part: ContentPart): ContentPart => {
    if (part.type === 'image') return { ...part, url: found.get(part.url) ?? part.url };
    if (part.type === 'tool-result') return { ...part, content: part.content.map(inlined) };
    return part;
  };
  return {
    ...request,
    messages: request.messages.map((message) => ({ ...message, parts: message.parts.map(inlined) })),
  };
}

/** What the picture is by its first bytes, or else what its host calls it. */
function imageType(bytes: Uint8Array, stated: string): string {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const mediaType = SIGNATURES.find(([begin]) => begin.test(head))?.[1] ?? stated;
  if (!IMAGE.test(mediaType)) throw refused('what an image URL points at is not an image');
  return mediaType;
}

function addressesIn(part: ContentPart): string[] {
  if (part.type === 'image') return /^https?:/i.test(part.url) ? [part.url] : [];
  return part.type === 'tool-result' ? part.content.flatMap(addressesIn) : [];
}

function refused(problem: string, cause?: unknown): SekishoError {
  return new SekishoError('invalid_request', { values: { problem }, param: 'image_url', cause });
}
