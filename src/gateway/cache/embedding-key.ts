import type { Wire } from '../../spec/wire.ts';
import type { EmbedCall } from '../model-call.ts';
import { canonicalJson, countKeys } from './canonical-json.ts';

/** What the cache of embeddings must know of a plan. */
export interface EmbeddingPlan {
  targets: readonly { name: string; provider: string; model: string; endpoint: { wire: Wire } }[];
}

/** Where the vectors of a call are kept, and whose they are. */
export interface EmbeddingSpace {
  /** The key of the vector of a text. */
  keyOf(text: string): string;
  /** Whether vectors of this target belong here: never are vectors of two models mixed. */
  admits(target: string): boolean;
}

/** Fields of an embeddings body that the vocabulary has words for, that name the route, or who asks. */
const KNOWN = new Set(['model', 'input', 'encoding_format', 'dimensions', 'user']);

/**
 * The space of a call's vectors. The key of a text covers the exact text, tenant, model and place of the
 * targets, dimensions, purpose, and every field of the body that the vocabulary has no word for. Targets with
 * the same model name are one space: the route says that either will do. Of targets with different models only
 * the first has one.
 *
 * @returns undefined where the call cannot be cached: a body of another form, or one that may be read in two
 * ways; and for models in this process, which answer sooner than a disk.
 */
export function embeddingSpace(
  call: EmbedCall,
  plan: EmbeddingPlan,
  placeOf: (provider: string) => string,
): EmbeddingSpace | undefined {
  const { native, request, principal } = call;
  const [first] = plan.targets;
  if (first === undefined || plan.targets.some(({ endpoint }) => endpoint.wire === 'static')) return undefined;
  let extra = '';
  if (native !== undefined) {
    if (native.wire !== 'openai') return undefined;
    const { text, members, exact } = canonicalJson(native.json, KNOWN);
    if (!exact || countKeys(native.text) !== members) return undefined;
    extra = text === '{}' ? '' : text;
  }
  const same = plan.targets.every(({ model }) => model === first.model);
  const targets = same ? plan.targets : [first];
  const places = new Set(targets.map(({ name, provider }) => `${provider}@${placeOf(provider)} ${name}`));
  const around = JSON.stringify([[...places].sort(), request.dimensions ?? null, request.purpose ?? null, extra]);
  const names = new Set(targets.map(({ name }) => name));
  const prefix = `${principal.tenantId}/embedding/${first.name}/`;
  return {
    keyOf: (text) => {
      // Lone surrogates have no UTF-8; as escapes they stay apart.
      const exactText = text.isWellFormed() ? `=${text}` : JSON.stringify(text);
      return prefix + new Bun.CryptoHasher('sha256').update(around).update(exactText).digest('base64url');
    },
    admits: (target) => names.has(target),
  };
}
