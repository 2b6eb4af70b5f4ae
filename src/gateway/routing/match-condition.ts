import type { RouteCondition } from '../catalogue.ts';
import type { RouteQuery } from './plan.ts';

/** Whether a call fits a condition: all that is given must hold, within a list one match suffices. */
export function matchesCondition(when: RouteCondition, query: RouteQuery): boolean {
  const { principal } = query;
  if (when.models !== undefined && !matchesAny(when.models, query.route)) return false;
  if (when.tenants !== undefined && !matchesAny(when.tenants, principal.tenantId)) return false;
  if (when.teams !== undefined && (principal.team === undefined || !matchesAny(when.teams, principal.team))) {
    return false;
  }
  if (when.tags !== undefined) {
    const wanted = when.tags;
    const matches = (tag: string): boolean => matchesAny(wanted, tag);
    if (principal.tags?.some(matches) !== true && query.tags?.some(matches) !== true) return false;
  }
  if (when.minInputTokens !== undefined || when.maxInputTokens !== undefined) {
    const tokens = query.inputTokens();
    if (tokens < (when.minInputTokens ?? 0) || tokens > (when.maxInputTokens ?? Infinity)) return false;
  }
  return true;
}

/** Whether a name is one of the patterns or begins as one that ends in `*`. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, name));
}

function matchesPattern(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
