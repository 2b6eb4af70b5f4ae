import { AwsV4Signer } from 'aws4fetch';
import type { GuardedAnswer, GuardedRequest } from '../../../lib/guarded-request.ts';
import { createFileChoice, type Choice } from './choose-keys.ts';
import { SourceProblem, type Connector, type FetchedItem } from './connector.ts';
import { readBucketPage } from './read-bucket-page.ts';

export interface S3Options extends Choice {
  request: GuardedRequest;
  bucket: string;
  prefix: string;
  region: string;
  endpoint?: string | undefined;
  path_style?: boolean | undefined;
  /** Absent: the bucket is open to everyone. */
  keys?: { access_key_id: string; secret_access_key: string; session_token?: string | undefined };
}

const MAX_PAGES = 10_000;
const MAX_OBJECT_BYTES = 50 * 1024 * 1024;

/** Objects of a bucket below a prefix, by the protocol of S3 (ListObjectsV2, GetObject, Signature Version 4). */
export function createS3Connector(options: S3Options): Connector {
  const { bucket, prefix, region, keys, request } = options;
  const isWanted = createFileChoice(options);
  const base = baseOf(options);

  async function get(url: string, signal: AbortSignal): Promise<GuardedAnswer> {
    if (keys === undefined) return request(url, signal);
    const signed = await new AwsV4Signer({
      url,
      service: 's3',
      region,
      accessKeyId: keys.access_key_id,
      secretAccessKey: keys.secret_access_key,
      ...(keys.session_token !== undefined && { sessionToken: keys.session_token }),
    }).sign();
    return request(signed.url.href, signal, { credentials: Object.fromEntries(signed.headers) });
  }

  async function page(token: string | undefined, signal: AbortSignal) {
    const query = new URLSearchParams({ 'list-type': '2', 'encoding-type': 'url', 'max-keys': '1000' });
    if (prefix !== '') query.set('prefix', prefix);
    if (token !== undefined) query.set('continuation-token', token);
    // A space is "%20" in what is signed.
    const answer = await get(`${base}?${query.toString().replaceAll('+', '%20')}`, signal);
    if (answer.status !== 200) throw refused(answer);
    return readBucketPage(answer.bytes);
  }

  return {
    list: async function* ({ signal }) {
      let token: string | undefined;
      for (let pages = 0; pages < MAX_PAGES; pages++) {
        const { objects, next } = await page(token, signal);
        for (const { key, etag, modified, bytes } of objects) {
          if (key.endsWith('/') || !key.startsWith(prefix) || !isWanted(key)) continue;
          // Such a path would be another one once it is part of a URL.
          if (key.split('/').some((part) => part === '.' || part === '..')) {
            yield { kind: 'failed', key, reason: 'the key cannot be written as an address' };
          } else if (bytes > MAX_OBJECT_BYTES) {
            yield { kind: 'failed', key, reason: `it is larger than ${MAX_OBJECT_BYTES} bytes` };
          } else if (bytes > 0) {
            const stamp = `${etag} ${modified}`;
            yield { kind: 'item', key, stamp, fetch: (_, stop) => object(key, modified, stop) };
          }
        }
        if (next === undefined) return { complete: true };
        token = next;
      }
      return { complete: false, reason: `more than ${MAX_PAGES} pages` };
    },
  };

  async function object(key: string, modified: string, signal: AbortSignal): Promise<FetchedItem | 'gone'> {
    const answer = await get(`${base}${key.split('/').map(encodeKey).join('/')}`, signal);
    if (answer.status === 404) return 'gone';
    if (answer.status !== 200) throw refused(answer);
    const name = key.split('/').at(-1) ?? key;
    return { name, bytes: answer.bytes, modified, url: `s3://${bucket}/${key}` };
  }
}

function baseOf({ endpoint, bucket, region, path_style }: S3Options): string {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`);
  url.search = '';
  url.hash = '';
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  // A dot in the name does not fit into the certificate of the host.
  if (path_style ?? (endpoint !== undefined || bucket.includes('.'))) url.pathname += `${bucket}/`;
  else url.hostname = `${bucket}.${url.hostname}`;
  return url.href;
}

/** As AWS wants it: everything but letters, digits, `-`, `.`, `_` and `~`. */
function encodeKey(part: string): string {
  return encodeURIComponent(part.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function refused({ status }: GuardedAnswer): SourceProblem {
  const why = status === 403 ? ': the credentials are wrong or not allowed to read it' : '';
  return new SourceProblem(`the bucket answered ${status}${why}`);
}
