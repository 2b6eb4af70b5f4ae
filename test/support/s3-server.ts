import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** A server of one bucket by the protocol of S3, path style. What is not signed as AWS wants it is refused. */
export interface S3Server {
  endpoint: string;
  asked: string[];
  objects: Map<string, { body: string; modified: string }>;
  stop(): Promise<void>;
}

export const S3_KEYS = { access_key_id: 'AKIDEXAMPLE', secret_access_key: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

export function startS3Server({ bucket, pageSize = 2 }: { bucket: string; pageSize?: number }): S3Server {
  const objects = new Map<string, { body: string; modified: string }>();
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request) => {
      const url = new URL(request.url);
      asked.push(url.pathname + url.search);
      if (!isSigned(request, url))
        return new Response('<Error><Code>SignatureDoesNotMatch</Code></Error>', { status: 403 });
      const [, named = '', ...rest] = url.pathname.split('/');
      if (named !== bucket) return new Response('<Error><Code>NoSuchBucket</Code></Error>', { status: 404 });
      const key = decodeURIComponent(rest.join('/'));
      if (key !== '') {
        const object = objects.get(key);
        return object === undefined ? new Response('', { status: 404 }) : new Response(object.body);
      }
      return new Response(listing(url.searchParams), { headers: { 'content-type': 'application/xml' } });
    },
  });

  function listing(query: URLSearchParams): string {
    const after = Buffer.from(query.get('continuation-token') ?? '', 'base64').toString();
    const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '')).sort();
    const page = keys.filter((key) => key > after).slice(0, pageSize);
    const isLast = page.at(-1) === keys.at(-1);
    const contents = page.map((key) => {
      const { body, modified } = objects.get(key) ?? { body: '', modified: '' };
      const etag = createHash('md5').update(body).digest('hex');
      return `<Contents><Key>${encodeURIComponent(key).replaceAll('%20', '+')}</Key><LastModified>${modified}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${Buffer.byteLength(body)}</Size></Contents>`;
    });
    const next = isLast
      ? ''
      : `<NextContinuationToken>${Buffer.from(page.at(-1) ?? '').toString('base64')}</NextContinuationToken>`;
    return `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType><IsTruncated>${!isLast}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
  }

  return { endpoint: `http://127.0.0.1:${server.port}`, asked, objects, stop: () => server.stop(true) };
}

/** Signature Version 4, computed anew from the request (AWS, "Create a signed AWS API request"). */
function isSigned(request: Request, url: URL): boolean {
  const { headers } = request;
  const [, credential = '', names = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.get('authorization') ?? '',
    ) ?? [];
  const [id, date = '', region = '', service = '', end] = credential.split('/');
  if (id !== S3_KEYS.access_key_id || end !== 'aws4_request' || !names.split(';').includes('host')) return false;
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const path = url.pathname
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/');
  const canonical = [
    request.method,
    path,
    query,
    ...names.split(';').map((name) => `${name}:${(headers.get(name) ?? '').trim()}`),
    '',
    names,
    headers.get('x-amz-content-sha256') ?? '',
  ].join('\n');
  const stamp = headers.get('x-amz-date') ?? '';
  if (
    Math.abs(
      Date.now() - Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')),
    ) > 900_000
  ) {
    return false;
  }
  const text = ['AWS4-HMAC-SHA256', stamp, `${date}/${region}/${service}/aws4_request`, sha256(canonical)].join('\n');
  const key = ['aws4_request', service, region, date].reduceRight<Buffer>(
    (secret, part) => hmac(secret, part),
    Buffer.from(`AWS4${S3_KEYS.secret_access_key}`),
  );
  return timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex'));
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
