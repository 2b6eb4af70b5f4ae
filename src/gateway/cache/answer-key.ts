import { numberAt } from '../../lib/json.ts';
import type { WireBody } from '../../ports/provider.ts';
import type { ChatRequest } from '../../spec/chat.ts';
import type { BodyForm, Wire } from '../../spec/wire.ts';
import type { CachePolicy } from '../catalogue.ts';
import type { ModelCall } from '../model-call.ts';
import { canonicalJson, countKeys } from './canonical-json.ts';

/** What the cache must know of a plan. */
export interface CachedPlan {
  targets: readonly { name: string; provider: string; endpoint: { wire: Wire } }[];
  cache?: CachePolicy;
}

/**
 * Whether a field of the request tells two answers apart. A field that is added to the vocabulary does not
 * compile until its place is decided here. Who asks counts by the scope of the route, not by this table.
 */
const PLACE = {
  messages: 'in',
  tools: 'in',
  toolChoice: 'in',
  parallelToolCalls: 'in',
  responseFormat: 'in',
  maxOutputTokens: 'in',
  temperature: 'in',
  topP: 'in',
  topK: 'in',
  stop: 'in',
  seed: 'in',
  presencePenalty: 'in',
  frequencyPenalty: 'in',
  reasoning: 'in',
  endUser: 'out',
  passages: 'in',
  extra: 'in',
} as const satisfies Record<keyof ChatRequest, 'in' | 'out'>;

const OUT_OF_REQUEST: ReadonlySet<string> = new Set(
  Object.entries(PLACE).flatMap(([field, place]) => (place === 'out' ? [field] : [])),
);

/**
 * Fields of a passed-through body that do not tell two answers apart: the name of the route, which stands in
 * the key as such, who asks, and how the answer is delivered. Everything else of a body counts, known or not.
 */
const OUT_OF_OPENAI = new Set(['model', 'stream', 'stream_options', 'user', 'safety_identifier', 'prompt_cache_key']);
const OUT_OF_BODY: Partial<Record<BodyForm, ReadonlySet<string>>> = {
  openai: OUT_OF_OPENAI,
  'openai-responses': OUT_OF_OPENAI,
  'openai-completions': OUT_OF_OPENAI,
  anthropic: new Set(['model', 'stream', 'metadata']),
};
const OUT_OF_ANY = new Set(['model', 'stream']);

/**
 * The key of a call, `tenant/route/hash`. The hash (SHA-256) covers who shares the answer, the targets and
 * where they stand, and what an upstream would be sent: the caller's body where a target takes it as it is,
 * the request in the vocabulary where it is translated. The order of keys in JSON does not matter.
 *
 * @returns undefined where the call asks for what cannot be kept (several answers, a conversation that the
 * upstream keeps), or where its body may be read in two ways.
 */
export function answerKey(options: {
  call: ModelCall;
  plan: CachedPlan;
  scope: CachePolicy['scope'];
  /** Where a provider is reached; two places never share answers. */
  placeOf: (provider: string) => string;
}): string | undefined {
  const { call, plan, scope, placeOf } = options;
  const { native, principal } = call;
  if (native !== undefined && asksForMore(native)) return undefined;
  const passed = native !== undefined && plan.targets.some(({ endpoint }) => takes(endpoint.wire, native.wire));
  const asked = passed
    ? canonicalJson(native.json, OUT_OF_BODY[native.wire] ?? OUT_OF_ANY)
    : canonicalJson(call.request(), OUT_OF_REQUEST);
  if (!asked.exact || (passed && countKeys(native.text) !== asked.members)) return undefined;

  // A model that several endpoints of a provider serve is one model.
  const targets = new Set(plan.targets.map(({ name, provider }) => `${provider}@${placeOf(provider)} ${name}`));
  const around = [
    ...sharers(scope, call),
    passed ? native.wire : 'vocabulary',
    Object.entries(call.forwardHeaders ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)),
    [...targets].sort(),
  ];
  const hash = new Bun.CryptoHasher('sha256').update(JSON.stringify(around)).update(asked.text).digest('base64url');
  return `${principal.tenantId}/${call.route}/${hash}`;
}

/** Length of the hash at the end of a key. */
export const HASH_LENGTH = 43;

function sharers(scope: CachePolicy['scope'], { principal, endUser }: ModelCall): string[] {
  if (scope === 'tenant') return ['tenant'];
  if (scope === 'team' && principal.team !== undefined) return ['team', principal.team];
  // Who belongs to no team, or names no user, shares with its own key alone.
  if (scope === 'user' && endUser !== undefined) return ['user', principal.keyId, endUser];
  return ['key', principal.keyId];
}

/** Whether a wire passes bodies of this form on as they are. */
function takes(wire: Wire, form: BodyForm): boolean {
  return form === wire || form.startsWith(`${wire}-`);
}

function asksForMore({ wire, json }: WireBody): boolean {
  if ((numberAt(json, 'n') ?? 1) !== 1 || (numberAt(json, 'best_of') ?? 1) !== 1) return true;
  if (wire === 'openai-responses') return json['background'] === true || (json['conversation'] ?? null) !== null;
  return wire === 'openai-completions' && Array.isArray(json['prompt']) && json['prompt'].length > 1;
}
