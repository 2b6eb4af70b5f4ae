const DAY_MS = 86_400_000;

/** A calendar day or month, UTC. */
export interface Period {
  /** `2026-11` or `2026-11-21`. */
  name: string;
  startMs: number;
  endMs: number;
}

/** The day and the month of a time, UTC. */
export interface Periods {
  day: Period;
  month: Period;
}

/** Gives the periods of a time; made anew only when the day changes. */
export function createPeriodsOf(): (nowMs: number) => Periods {
  let known: Periods | undefined;
  return (nowMs) => {
    if (known !== undefined && nowMs >= known.day.startMs && nowMs < known.day.endMs) return known;
    const date = new Date(nowMs);
    const text = date.toISOString();
    const startMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
    known = {
      day: { name: text.slice(0, 10), startMs, endMs: startMs + DAY_MS },
      month: {
        name: text.slice(0, 7),
        startMs: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1),
        endMs: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1),
      },
    };
    return known;
  };
}
