import { createHash, createHmac } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import type { Secret } from '../../lib/secret.ts';
import type { SignableRequest } from '../kit/upstream.ts';

export interface SignerOptions {
  accessKeyId: string;
  secretAccessKey: Secret;
  sessionToken?: Secret;
  region: string;
  service: string;
  nowMs: () => number;
}

/**
 * Signs calls by AWS Signature Version 4 (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html): gives the
 * headers to add. Of the call's own headers only the vendor's are covered, so that a proxy may touch the others.
 * The library says what is signed; the hashing is done here at once, because its own goes through a promise for
 * each step, which takes several times as long.
 */
export function createSigner(options: SignerOptions): (request: SignableRequest) => Record<string, string> {
  const { accessKeyId, region, service } = options;
  // The signing key holds for a day.
  let day = '';
  let key: Buffer | undefined;

  function keyOf(date: string): Buffer {
    if (key === undefined || day !== date) {
      const secret = `AWS4${options.secretAccessKey.reveal()}`;
      key = hmac(hmac(hmac(hmac(secret, date), region), service), 'aws4_request');
      day = date;
    }
    return key;
  }

  return ({ method, url, headers, body }) => {
    const datetime = new Date(options.nowMs()).toISOString().replace(/[:-]|\.\d{3}/g, '');
    const covered = Object.entries(headers).filter(([name]) => name.toLowerCase().startsWith('x-amz'));
    const canonical = new AwsV4Signer({
      method,
      url: url.href,
      headers: covered,
      accessKeyId,
      // Not read: the key is made above.
      secretAccessKey: '',
      ...(options.sessionToken && { sessionToken: options.sessionToken.reveal() }),
      service,
      region,
      datetime,
    });
    const { encodedPath, encodedSearch, canonicalHeaders, signedHeaders, credentialString } = canonical;
    const request = [method, encodedPath, encodedSearch, `${canonicalHeaders}\n`, signedHeaders, sha256(body)].join(
      '\n',
    );
    const toSign = ['AWS4-HMAC-SHA256', datetime, credentialString, sha256(request)].join('\n');
    const signature = hmac(keyOf(datetime.slice(0, 8)), toSign).toString('hex');
    return {
      ...Object.fromEntries(canonical.headers),
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${credentialString}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    };
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
