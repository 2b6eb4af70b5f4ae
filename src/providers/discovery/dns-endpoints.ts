import type { EndpointSource } from '../../ports/endpoint-source.ts';
import { abortable, type DnsLookup } from './lookup.ts';

/**
 * Endpoints by the A and AAAA records of a name, each with the same weight. An address family without records is no
 * failure while the other one has some. `find` rejects where neither has.
 */
export function dnsEndpoints(options: {
  host: string;
  port: number;
  scheme: 'http' | 'https';
  refreshMs: number;
  dns: DnsLookup;
}): EndpointSource {
  const { host, port, scheme, dns } = options;
  return {
    refreshMs: options.refreshMs,
    find: async (signal) => {
      const [four, six] = await abortable(Promise.allSettled([dns.resolve4(host), dns.resolve6(host)]), signal);
      if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
      const addresses = [
        ...(four.status === 'fulfilled' ? four.value : []),
        ...(six.status === 'fulfilled' ? six.value.map((address) => `[${address}]`) : []),
      ];
      return addresses.map((address) => ({ origin: new URL(`${scheme}://${address}:${port}`).origin, weight: 1 }));
    },
  };
}
