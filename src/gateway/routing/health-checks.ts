import type { Sleep } from '../../lib/sleep.ts';
import type { Provider } from '../../ports/provider.ts';
import { SekishoError, type ErrorCode } from '../../spec/errors.ts';
import type { Catalogue } from '../catalogue.ts';
import type { EndpointBook } from './endpoint-book.ts';
import type { TargetHealth } from './target-health.ts';

/** How long a place may take to answer the question. */
const PROBE_MS = 5_000;
/** Silences in a row after which a place counts as ill; one may be chance. */
const FALL = 2;
/** Places that are asked at once. */
const AT_ONCE = 8;
/** Refusals that show that somebody is there. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set([
  'upstream_credential',
  'upstream_not_found',
  'upstream_rate_limited',
  'upstream_rejected',
]);

/**
 * Asks every place of every provider whether it answers, every `intervalMs` or so: by the provider's own cheap question,
 * or else by asking for its models. Two silences in a row make a place ill with all of its targets; one answer, be it a
 * refusal, makes it well again. Resolves when the signal is aborted.
 */
export async function runHealthChecks(options: {
  intervalMs: number;
  catalogue: () => Catalogue;
  endpoints: Pick<EndpointBook, 'instancesOf'>;
  health: Pick<TargetHealth, 'checked'>;
  sleep: Sleep;
  /** Uniform in [0, 1). */
  random: () => number;
  signal: AbortSignal;
  /** Told when a place stops to answer, and when it answers again. */
  onChange?: (place: string, answers: 'answers' | 'silent', error?: unknown) => void;
}): Promise<void> {
  const { signal, health, sleep } = options;
  const silences = new Map<string, number>();

  async function ask(place: string, provider: Provider): Promise<void> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
    try {
      await (provider.probe?.(limit) ?? provider.listModels?.(limit));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof SekishoError && ANSWERS.has(error.code))) {
        silent(place, error);
        return;
      }
    }
    if ((silences.get(place) ?? 0) >= FALL) options.onChange?.(place, 'answers');
    silences.delete(place);
    health.checked(place, 'answers');
  }

  function silent(place: string, error: unknown): void {
    const count = (silences.get(place) ?? 0) + 1;
    silences.set(place, count);
    if (count < FALL) return;
    health.checked(place, 'silent');
    if (count === FALL) options.onChange?.(place, 'silent', error);
  }

  while (!signal.aborted) {
    const places = placesOf(options.catalogue(), options.endpoints);
    for (const place of silences.keys()) {
      if (places.has(place)) continue;
      silences.delete(place);
      health.checked(place, 'answers');
    }
    const rest = [...places];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = rest.pop(); next !== undefined; next = rest.pop()) await ask(...next);
      }),
    );
    // Replicas do not ask in step.
    const waitMs = options.intervalMs * (0.9 + 0.2 * options.random());
    await sleep(waitMs, signal).catch(() => undefined);
  }
}

/** Every place that can be asked, by the name that targets know it under. */
function placesOf(catalogue: Catalogue, endpoints: Pick<EndpointBook, 'instancesOf'>): Map<string, Provider> {
  return new Map(
    catalogue.providers.flatMap((entry): [string, Provider][] => {
      const { name } = entry.provider;
      const instances = endpoints.instancesOf(entry);
      const places: [string, Provider][] =
        instances === undefined
          ? [[name, entry.provider]]
          : instances.map(({ origin, provider }) => [`${name}@${origin}`, provider]);
      return places.filter(([, provider]) => provider.probe !== undefined || provider.listModels !== undefined);
    }),
  );
}
