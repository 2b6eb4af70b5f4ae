import { KNOWN_PROVIDERS } from './known-providers.ts';

/** Hosts of vendors under which each customer has a name of its own; `*` stands for one label. */
const VENDOR_PATTERNS = [
  '*.openai.azure.com',
  '*.cognitiveservices.azure.com',
  '*.services.ai.azure.com',
  'bedrock-runtime.*.amazonaws.com',
];

/**
 * Whether a provider that is made over the API may name an address: known vendors over https, and the hosts that
 * the configuration lists. A list of what is allowed needs no knowledge of all the ways to write an inner address.
 */
export function mayReach(url: URL, listed: readonly string[]): boolean {
  if (url.username !== '' || url.password !== '') return false;
  const matches = (pattern: string): boolean => hostPattern(pattern).test(url.hostname);
  if (listed.some(matches)) return url.protocol === 'https:' || url.protocol === 'http:';
  if (url.protocol !== 'https:' || url.port !== '') return false;
  return (
    VENDOR_PATTERNS.some(matches) || KNOWN_PROVIDERS.some(({ baseUrl }) => new URL(baseUrl).hostname === url.hostname)
  );
}

/** Whether a host is on a list of hosts, where `*` stands for one label. */
export function isListedHost(hostname: string, listed: readonly string[]): boolean {
  return listed.some((pattern) => hostPattern(pattern.replace(/^\[|\]$/g, '')).test(hostname));
}

function hostPattern(pattern: string): RegExp {
  const escaped = pattern.toLowerCase().replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '[^.]+')}$`);
}
