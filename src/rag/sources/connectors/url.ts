import type { GuardedRequest } from '../../../lib/guarded-request.ts';
import type { Connector } from './connector.ts';
import { conditionOf, USER_AGENT, webFileOf } from './web-file.ts';

/** One page or file that somebody named. It is asked for conditionally; robots.txt is not about what a person names. */
export function createUrlConnector(options: {
  request: GuardedRequest;
  url: string;
  credentials?: Readonly<Record<string, string>>;
}): Connector {
  const { request, url, credentials } = options;
  return {
    list: async function* () {
      yield {
        kind: 'item',
        key: url,
        fetch: async (known, signal) => {
          const headers = { 'user-agent': USER_AGENT, ...conditionOf(known) };
          return webFileOf(await request(url, signal, { headers, ...(credentials && { credentials }) }));
        },
      };
      return { complete: true };
    },
  };
}
