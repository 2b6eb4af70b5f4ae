import type { Secret } from '../lib/secret.ts';
import type { Provider } from '../ports/provider.ts';
import type { Wire } from '../spec/wire.ts';
import { createAnthropicProvider } from './anthropic/anthropic-provider.ts';
import type { Reach } from './kit/reach.ts';
import type { Timeouts } from './kit/upstream.ts';
import { createOpenAiProvider } from './openai/openai-provider.ts';

/** A remote endpoint, whatever its wire. */
export interface RemoteProvider {
  name: string;
  wire: Exclude<Wire, 'extractive' | 'static'>;
  baseUrl: string;
  credential?: Secret;
  headers: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  flavour: 'standard' | 'azure';
  apiVersion?: string;
  reach?: Reach;
}

/** The one place that knows which adapter speaks which wire. */
export function createRemoteProvider(options: RemoteProvider): Provider {
  switch (options.wire) {
    case 'openai':
      return createOpenAiProvider(options);
    case 'anthropic':
      return createAnthropicProvider(options);
    default:
      return options.wire satisfies never;
  }
}
