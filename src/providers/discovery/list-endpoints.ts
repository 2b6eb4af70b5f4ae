import type { EndpointSource } from '../../ports/endpoint-source.ts';

/** Endpoints that never change, each with the same weight. */
export function listEndpoints(options: { origins: readonly string[]; refreshMs: number }): EndpointSource {
  const endpoints = options.origins.map((origin) => ({ origin, weight: 1 }));
  return { refreshMs: options.refreshMs, find: () => Promise.resolve([...endpoints]) };
}
