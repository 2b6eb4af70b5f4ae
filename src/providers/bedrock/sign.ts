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
 */
export function createSigner(options: SignerOptions): (request: SignableRequest) => Promise<Record<string, string>> {
  // The signing key holds for a day; the keys of other days are of no use.
  let keys = new Map<string, ArrayBuffer>();
  let day = '';

  return async ({ method, url, headers, body }) => {
    const datetime = new Date(options.nowMs()).toISOString().replace(/[:-]|\.\d{3}/g, '');
    if (!datetime.startsWith(day) || day === '') {
      day = datetime.slice(0, 8);
      keys = new Map();
    }
    const covered = Object.entries(headers).filter(([name]) => name.toLowerCase().startsWith('x-amz'));
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: covered,
      body,
      accessKeyId: options.accessKeyId,
      secretAccessKey: options.secretAccessKey.reveal(),
      ...(options.sessionToken && { sessionToken: options.sessionToken.reveal() }),
      service: options.service,
      region: options.region,
      datetime,
      cache: keys,
    });
    return Object.fromEntries((await signer.sign()).headers);
  };
}
