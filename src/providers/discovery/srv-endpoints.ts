import type { EndpointSource } from '../../ports/endpoint-source.ts';
import { abortable, type DnsLookup } from './lookup.ts';

/**
 * Endpoints by SRV records (RFC 2782): those of the lowest priority value, by their weights; a weight of 0 is the
 * smallest share there is. `find` rejects where the name has no records.
 */
export function srvEndpoints(options: {
  /** `_llm._tcp.example.internal` */
  name: string;
  scheme: 'http' | 'https';
  refreshMs: number;
  dns: DnsLookup;
}): EndpointSource {
  return {
    refreshMs: options.refreshMs,
    find: async (signal) => {
      const records = await abortable(options.dns.resolveSrv(options.name), signal);
      const first = Math.min(...records.map(({ priority }) => priority));
      return records
        .filter(({ priority }) => priority === first)
        .map(({ name, port, weight }) => ({
          origin: new URL(`${options.scheme}://${name.replace(/\.$/, '')}:${port}`).origin,
          weight: Math.max(1, weight),
        }));
    },
  };
}
