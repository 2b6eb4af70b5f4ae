import { isJsonObject, numberAt, objectAt, parseJson, stringAt, type JsonValue } from '../../lib/json.ts';
import type { Secret } from '../../lib/secret.ts';
import type { Endpoint, EndpointSource } from '../../ports/endpoint-source.ts';

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/**
 * Endpoints by the health endpoint of Consul's HTTP interface (`/v1/health/service/:service?passing`): instances whose
 * checks all pass, by the weight that they registered for that state. The address of the service comes before that of
 * its node, as Consul says. `find` rejects where Consul does not answer with a list.
 */
export function consulEndpoints(options: {
  /** Of the agent: `http://127.0.0.1:8500` */
  url: string;
  service: string;
  tag?: string;
  token?: Secret;
  scheme: 'http' | 'https';
  refreshMs: number;
}): EndpointSource {
  const url = new URL(`${options.url}/v1/health/service/${encodeURIComponent(options.service)}`);
  url.searchParams.set('passing', '1');
  if (options.tag !== undefined) url.searchParams.set('tag', options.tag);
  return {
    refreshMs: options.refreshMs,
    find: async (signal) => {
      const response = await fetch(url, {
        signal,
        // A redirect would carry the token to wherever it points.
        redirect: 'error',
        headers: options.token === undefined ? {} : { 'x-consul-token': options.token.reveal() },
      });
      const text = await readBounded(response);
      if (!response.ok) throw new Error(`Consul answered ${response.status}: ${text.slice(0, 200)}`);
      const listed = parseJson(text);
      if (!Array.isArray(listed)) throw new Error('Consul answered with something that is not a list.');
      return listed.flatMap((entry) => endpointOf(entry, options.scheme) ?? []);
    },
  };
}

function endpointOf(entry: JsonValue, scheme: string): Endpoint | undefined {
  if (!isJsonObject(entry)) return undefined;
  const service = objectAt(entry, 'Service');
  const node = objectAt(entry, 'Node');
  const port = service && numberAt(service, 'Port');
  const address = (service && stringAt(service, 'Address')) || (node && stringAt(node, 'Address'));
  if (service === undefined || port === undefined || !address) return undefined;
  const host = address.includes(':') ? `[${address}]` : address;
  const url = URL.parse(`${scheme}://${host}:${port}`);
  if (url === null) return undefined;
  const weights = objectAt(service, 'Weights');
  return { origin: url.origin, weight: Math.max(0, (weights && numberAt(weights, 'Passing')) ?? 1) };
}

async function readBounded(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`Consul's answer is larger than ${MAX_ANSWER_BYTES} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
