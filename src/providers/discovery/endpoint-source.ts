import type { EndpointSettings, EndpointSource } from '../../ports/endpoint-source.ts';
import { consulEndpoints } from './consul-endpoints.ts';
import { dnsEndpoints } from './dns-endpoints.ts';
import { listEndpoints } from './list-endpoints.ts';
import type { DnsLookup } from './lookup.ts';
import { srvEndpoints } from './srv-endpoints.ts';

/** The source that the settings describe. `dns` is a resolver of `node:dns/promises`. */
export function createEndpointSource(settings: EndpointSettings, deps: { dns: DnsLookup }): EndpointSource {
  switch (settings.kind) {
    case 'list':
      return listEndpoints(settings);
    case 'dns':
      return dnsEndpoints({ ...settings, ...deps });
    case 'srv':
      return srvEndpoints({ ...settings, ...deps });
    case 'consul':
      return consulEndpoints(settings);
    default:
      return settings satisfies never;
  }
}

/** The address of a provider at one place: the path stays, scheme, host and port are the place's. */
export function addressAt(baseUrl: string, origin: string): string {
  const { pathname, search } = new URL(baseUrl);
  return `${new URL(origin).origin}${pathname.replace(/\/+$/, '')}${search}`;
}
