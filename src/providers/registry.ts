import type { Secret } from '../lib/secret.ts';
import type { Provider } from '../ports/provider.ts';
import type { RemoteWire } from '../spec/wire.ts';
import { createAnthropicProvider } from './anthropic/anthropic-provider.ts';
import { createBedrockProvider } from './bedrock/bedrock-provider.ts';
import { createCohereProvider } from './cohere/cohere-provider.ts';
import { createGeminiProvider } from './gemini/gemini-provider.ts';
import type { FetchMedia } from './kit/fetch-media.ts';
import type { Reach } from './kit/reach.ts';
import type { Timeouts } from './kit/upstream.ts';
import { createKserveProvider } from './kserve/kserve-provider.ts';
import { createOllamaProvider } from './ollama/ollama-provider.ts';
import { createOpenAiProvider } from './openai/openai-provider.ts';

/** A remote endpoint, whatever its wire. */
export interface RemoteProvider {
  name: string;
  wire: RemoteWire;
  baseUrl: string;
  credential?: Secret;
  headers: Readonly<Record<string, string>>;
  timeouts: Timeouts;
  flavour: 'standard' | 'azure';
  apiVersion?: string;
  forms?: readonly ('responses' | 'completions')[];
  rerank?: 'documents' | 'texts';
  aws?: { region: string; accessKeyId?: string; secretAccessKey?: Secret; sessionToken?: Secret };
  idleUnloadMs?: number;
  reach?: Reach;
  /** Gets images that callers name by address; absent: wires that want bytes refuse them. */
  fetchMedia?: FetchMedia;
}

/** The one place that knows which adapter speaks which wire. */
export function createRemoteProvider(options: RemoteProvider): Provider {
  switch (options.wire) {
    case 'openai':
      return createOpenAiProvider(options);
    case 'anthropic':
      return createAnthropicProvider(options);
    case 'gemini':
      return createGeminiProvider(options);
    case 'bedrock':
      return createBedrockProvider({ ...options, region: options.aws?.region ?? '', ...options.aws });
    case 'cohere':
      return createCohereProvider(options);
    case 'ollama':
      return createOllamaProvider(options);
    case 'kserve':
      return createKserveProvider(options);
    default:
      return options.wire satisfies never;
  }
}
