import { mayUseRoute } from '../access/permissions.ts';
import type { Provider } from '../ports/provider.ts';
import { SekishoError } from '../spec/errors.ts';
import type { Principal } from '../spec/principal.ts';
import type { ModelKind, Route, Target } from '../spec/route.ts';
import { FALLBACK_REASONS, type FallbackReason } from '../spec/routing.ts';
import type { Catalogue, RouteDefinition } from './catalogue.ts';
import type { EndpointBook } from './routing/endpoint-book.ts';
import { matchesCondition } from './routing/match-condition.ts';
import type { Plan, PlannedGroup, ResolvedTarget, RouteQuery } from './routing/plan.ts';
import { createTargetResolver } from './routing/resolve-targets.ts';

export type { Plan, ResolvedTarget } from './routing/plan.ts';

export interface RouteBook {
  /**
   * Resolves a name: a route by its name, a model that answers inside this process, a route by its pattern (the
   * longest first), then `provider/model`, then a bare model name that a provider is known to have (the first
   * provider in order).
   * @throws SekishoError route_forbidden; route_not_found, naming what exists; route_conditions_unmet where no group
   * takes the call; no_healthy_target where every target is switched off or none is found.
   */
  resolve(query: RouteQuery): Plan;
  /** Every route that the principal may use and that can be listed. */
  list(principal: Principal): Route[];
}

const EVERY_REASON: ReadonlySet<FallbackReason> = new Set(FALLBACK_REASONS);
const MAX_NAMES_TOLD = 12;
const LOOK_AGAIN_MS = 1_000;

/** The names that callers may use, over the catalogue in force; whatever is derived of it is made anew when it changes. */
export function createRouteBook(options: {
  catalogue: () => Catalogue;
  endpoints: Pick<EndpointBook, 'revision' | 'instancesOf' | 'follow'>;
}): RouteBook {
  const { endpoints } = options;
  let known = deriveIndex(options.catalogue(), endpoints);

  function index(): CatalogueIndex {
    const catalogue = options.catalogue();
    if (known.catalogue !== catalogue || known.revision !== endpoints.revision) {
      known = deriveIndex(catalogue, endpoints);
    }
    return known;
  }

  const list = (principal: Principal): Route[] =>
    listAll(index()).filter((route) => mayUseRoute(principal, route.name));

  return {
    list,
    resolve: (query) => {
      const name = query.route;
      if (!mayUseRoute(query.principal, name)) throw new SekishoError('route_forbidden', { values: { route: name } });
      const here = index();
      const definition = here.routes.get(name) ?? (here.locals.has(name) ? undefined : patternOf(here, name));
      const plan = definition === undefined ? directPlan(here, name) : definedPlan(here, definition, query);
      if (plan === undefined) {
        const names = list(query.principal).map((each) => each.name);
        const told = names.slice(0, MAX_NAMES_TOLD).join(', ');
        const known = names.length > MAX_NAMES_TOLD ? `${told}, …` : told;
        throw new SekishoError('route_not_found', { values: { route: name.slice(0, 200), known }, param: 'model' });
      }
      if (plan.targets.length === 0) {
        const values = { route: name.slice(0, 200), states: 'disabled', seconds: LOOK_AGAIN_MS / 1_000 };
        throw new SekishoError('no_healthy_target', { values, retryAfterMs: LOOK_AGAIN_MS });
      }
      return plan;
    },
  };
}

/** Everything derived of one catalogue at one state of the endpoints. */
interface CatalogueIndex extends ReturnType<typeof createTargetResolver> {
  catalogue: Catalogue;
  revision: number;
  routes: ReadonlyMap<string, RouteDefinition>;
  /** Definitions whose name ends in `*`, the longest first. */
  patterns: readonly RouteDefinition[];
  /** Names of models that answer inside this process. */
  locals: ReadonlySet<string>;
  /** Plans of definitions with all of their groups, by the definition's name; those with `provider/*` never. */
  plans: Map<string, Plan>;
}

function deriveIndex(
  catalogue: Catalogue,
  endpoints: Pick<EndpointBook, 'revision' | 'instancesOf' | 'follow'>,
): CatalogueIndex {
  endpoints.follow(catalogue.providers);
  const entries = new Map(catalogue.providers.map((entry) => [entry.provider.name, entry]));
  const local = catalogue.providers.filter(({ provider }) => isLocal(provider));
  return {
    ...createTargetResolver({ catalogue, entries, endpoints }),
    catalogue,
    revision: endpoints.revision,
    routes: new Map(catalogue.routes.map((route) => [route.name, route])),
    patterns: catalogue.routes
      .filter(({ name }) => name.endsWith('*'))
      .sort((left, right) => right.name.length - left.name.length),
    locals: new Set(local.flatMap(({ models }) => models().map(({ model }) => model))),
    plans: new Map(),
  };
}

function patternOf(index: CatalogueIndex, name: string): RouteDefinition | undefined {
  return index.patterns.find((route) => name.startsWith(route.name.slice(0, -1)));
}

/** The plan of a `provider/model` or of a bare model name. */
function directPlan(index: CatalogueIndex, name: string): Plan | undefined {
  const full = index.describe(name) === undefined ? bareModel(index.catalogue, name) : name;
  if (full === undefined) return undefined;
  const targets = index.expand({ name: full, weight: 1 });
  return {
    route: name,
    groups: [{ strategy: 'ordered', targets }],
    retry: index.catalogue.defaultRetry,
    fallbackOn: EVERY_REASON,
    uncarried: 'refuse',
    targets,
  };
}

function bareModel(catalogue: Catalogue, name: string): string | undefined {
  const entry = catalogue.providers.find(({ models }) => models().some(({ model }) => model === name));
  if (entry !== undefined) return `${entry.provider.name}/${name}`;
  // A single provider whose list cannot be had is left to judge the name itself.
  const [only, ...others] = catalogue.providers.filter(({ trusted }) => trusted);
  return only !== undefined && others.length === 0 && only.models().length === 0
    ? `${only.provider.name}/${name}`
    : undefined;
}

/** The plan of a definition for one call. A definition that asks nothing of the call has the same plan every time. */
function definedPlan(index: CatalogueIndex, definition: RouteDefinition, query: RouteQuery): Plan | undefined {
  const whole = wholePlan(index, definition, query.route);
  // A route of targets that nobody knows is no route.
  if (whole.targets.length === 0 && !namesAnything(index, definition, query.route)) return undefined;
  const asks = definition.groups.some(({ when, strategy }) => when !== undefined || strategy === 'sticky');
  if (!asks) return whole.route === query.route ? whole : { ...whole, route: query.route };
  let tokens: number | undefined;
  const asked: RouteQuery = { ...query, inputTokens: () => (tokens ??= query.inputTokens()) };
  const groups = definition.groups.flatMap(({ when, stickyBy }, position): PlannedGroup[] => {
    const group = whole.groups[position];
    if (group === undefined || (when !== undefined && !matchesCondition(when, asked))) return [];
    const affinity = group.strategy === 'sticky' ? affinityOf(stickyBy ?? 'key', query) : undefined;
    return [affinity === undefined ? group : { ...group, affinity }];
  });
  if (groups.length === 0) {
    throw new SekishoError('route_conditions_unmet', { values: { route: query.route.slice(0, 200) } });
  }
  return { ...whole, route: query.route, groups, targets: groups.flatMap(({ targets }) => targets) };
}

/** The plan with every group of the definition, in their order. */
function wholePlan(index: CatalogueIndex, definition: RouteDefinition, asked: string): Plan {
  const ready = index.plans.get(definition.name);
  if (ready !== undefined) return ready;
  const groups = definition.groups.map(({ strategy, targets }): PlannedGroup => ({
    strategy,
    targets: targets.flatMap(({ name, weight }) => index.expand({ name: namedModel(name, asked), weight })),
  }));
  const { name, retry, hedge, cache, context, fallbackOn } = definition;
  const plan: Plan = {
    route: name,
    definition: name,
    groups,
    retry: retry ?? index.catalogue.defaultRetry,
    fallbackOn: fallbackOn === undefined ? EVERY_REASON : new Set(fallbackOn),
    ...(hedge && { hedge }),
    ...(cache && { cache }),
    ...(context && { context }),
    uncarried: definition.uncarried ?? 'refuse',
    targets: groups.flatMap(({ targets }) => targets),
  };
  const dependsOnName = definition.groups.some(({ targets }) => targets.some((target) => target.name.endsWith('/*')));
  if (!dependsOnName) index.plans.set(name, plan);
  return plan;
}

/** `provider/*` is the model that was asked for, at that provider. */
function namedModel(target: string, asked: string): string {
  return target.endsWith('/*') ? target.slice(0, -1) + asked : target;
}

function namesAnything(index: CatalogueIndex, definition: RouteDefinition, asked: string): boolean {
  return definition.groups.some(({ targets }) =>
    targets.some(({ name }) => index.describe(namedModel(name, asked)) !== undefined),
  );
}

/** What keeps calls together; undefined where the call does not name it. */
function affinityOf(
  by: NonNullable<RouteDefinition['groups'][number]['stickyBy']>,
  query: RouteQuery,
): string | undefined {
  const { principal } = query;
  if (by === 'key') return principal.keyId;
  if (by === 'tenant') return principal.tenantId;
  const named = by === 'user' ? query.endUser : query.session;
  // End users and sessions of two tenants may share a name.
  return named === undefined ? undefined : `${principal.tenantId}/${named}`;
}

function listAll(index: CatalogueIndex): Route[] {
  const { catalogue } = index;
  const configured = catalogue.routes.map((route): Route => {
    const targets = route.groups.flatMap((group) =>
      group.targets.flatMap(({ name, weight }) => {
        const target = index.describe(name);
        return target === undefined ? [] : [plainTarget({ ...target, weight })];
      }),
    );
    const [first] = targets;
    return {
      name: route.name,
      targets,
      kinds: first === undefined ? [] : kindsOf(catalogue, first),
      ...(route.description !== undefined && { description: route.description }),
    };
  });
  const offered = catalogue.providers.flatMap(({ provider, models }) =>
    models().flatMap(({ model, kinds }): Route[] => {
      const name = isLocal(provider) ? model : `${provider.name}/${model}`;
      const target = index.describe(`${provider.name}/${model}`);
      if (index.routes.has(name) || target === undefined || target.policy.enabled === false) return [];
      return [{ name, targets: [plainTarget(target)], kinds: [...kinds] }];
    }),
  );
  return [...configured, ...offered];
}

function kindsOf(catalogue: Catalogue, target: Target): ModelKind[] {
  const entry = catalogue.providers.find(({ provider }) => provider.name === target.provider);
  const known = entry?.models().find(({ model }) => model === target.model);
  return known === undefined ? ['chat'] : [...known.kinds];
}

/** Targets that answer inside this process go by their model's name alone. */
function isLocal(provider: Provider): boolean {
  return provider.wire === 'extractive' || provider.wire === 'static';
}

function plainTarget({ name, provider, model, weight, price }: ResolvedTarget): Target {
  return { name, provider, model, weight, ...(price && { price }) };
}
