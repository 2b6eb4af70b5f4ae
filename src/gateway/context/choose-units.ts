import type { ConversationUnit } from './conversation-units.ts';

/** A unit and what it weighs; undefined where counting ended before it, so that it does not fit in any case. */
export interface WeighedUnit extends ConversationUnit {
  tokens: number | undefined;
}

/** Which units no policy takes away: instructions, pins, the last turn of the user, and what is to be answered. */
export function requiredUnits(units: readonly ConversationUnit[]): Set<number> {
  const lastUser = units.findLastIndex(({ kind }) => kind === 'user');
  const required = new Set<number>([units.length - 1]);
  units.forEach((unit, at) => {
    if (unit.kind === 'lead' || unit.pinned || at === lastUser) required.add(at);
  });
  required.delete(-1);
  return required;
}

/** The first turn of the user with what was said to it, where that is not the last turn as well. */
export function openingUnits(units: readonly ConversationUnit[]): number[] {
  const first = units.findIndex(({ kind }) => kind === 'user');
  const next = units.findIndex(({ kind }, at) => at > first && kind === 'user');
  if (first === -1 || next === -1) return [];
  return Array.from({ length: next - first }, (_, at) => first + at);
}

/**
 * The units that stay within `room`, which the required ones have already been taken from: the
 * opening of the conversation where it fits, then the newest without a gap. No reply stays
 * without its turn of the user: wires refuse a conversation that begins with an answer.
 */
export function chooseUnits(
  units: readonly WeighedUnit[],
  { opening, required, room }: { opening: readonly number[]; required: ReadonlySet<number>; room: number },
): Set<number> {
  const kept = new Set(required);
  let left = room;
  const first = opening.filter((at) => !kept.has(at));
  const tokens = first.reduce((sum, at) => sum + (units[at]?.tokens ?? Number.POSITIVE_INFINITY), 0);
  if (tokens <= left) {
    for (const at of first) kept.add(at);
    left -= tokens;
  }
  for (let at = units.length - 1; at >= 0; at--) {
    if (kept.has(at)) continue;
    const own = units[at]?.tokens ?? Number.POSITIVE_INFINITY;
    if (own > left) break;
    kept.add(at);
    left -= own;
  }
  return withoutOrphans(units, kept, required);
}

/** Takes away replies whose turn of the user is gone: they would seem to answer what stands before the gap. */
export function withoutOrphans(
  units: readonly ConversationUnit[],
  kept: ReadonlySet<number>,
  required: ReadonlySet<number>,
): Set<number> {
  const whole = new Set(kept);
  let turn = -1;
  units.forEach(({ kind }, at) => {
    if (kind === 'user') turn = at;
    if (kind === 'reply' && !whole.has(turn) && !required.has(at)) whole.delete(at);
  });
  return whole;
}
