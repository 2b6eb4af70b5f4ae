import { SekishoError, type Wording } from '../../spec/errors.ts';
import type { LimitScope } from '../../spec/limits.ts';
import type { Measure } from './measures.ts';
import type { PlannedTake } from './planned-take.ts';

/** What a caller is told beside the limit itself. */
export interface RefusalFacts {
  retryAfterMs: number;
  nowMs: number;
  headers: readonly (readonly [string, string])[];
}

/** A refusal that waits for other calls to end, which nobody can foretell, is tried again after this long. */
const SHORTEST_WAIT_MS = 1_000;

/** The error for a limit that refused: it names the limit and whose it is, and when to come back. */
export function refusal({ subject, measure, period }: PlannedTake, facts: RefusalFacts): SekishoError {
  const whose = WHOSE[subject.scope](subject.name);
  // How much others have left of a target is not for one caller to see.
  const headers = subject.scope === 'target' ? [] : facts.headers;
  if (period !== undefined) {
    const retryAfterMs = Math.max(SHORTEST_WAIT_MS, period.endMs - facts.nowMs);
    const values = { whose, period: PERIODS[measure.window === 'day' ? 'day' : 'month'] };
    return new SekishoError('budget_exhausted', { values, retryAfterMs, headers });
  }
  const retryAfterMs = Math.max(SHORTEST_WAIT_MS, facts.retryAfterMs);
  const values = { whose, limit: limitWording(measure), seconds: Math.ceil(retryAfterMs / 1_000) };
  return new SekishoError('rate_limited', { values, retryAfterMs, headers });
}

const WHOSE: Record<LimitScope, (name: string) => Wording> = {
  key: () => ({ en: 'this key', ja: 'このキー' }),
  user: () => ({ en: 'this end user', ja: 'このエンドユーザー' }),
  team: (name) => ({ en: `the team "${name}"`, ja: `チーム「${name}」` }),
  tenant: () => ({ en: 'this tenant', ja: 'このテナント' }),
  route: (name) => ({ en: `the model "${name}"`, ja: `モデル「${name}」` }),
  target: (name) => ({ en: `the target "${name}"`, ja: `接続先「${name}」` }),
};

const PERIODS = { day: { en: 'day', ja: '本日' }, month: { en: 'month', ja: '今月' } } as const;
const WINDOWS_JA = { second: '毎秒', minute: '毎分', hour: '毎時', day: '1 日', month: '毎月' } as const;

function limitWording({ counts, limit, window = 'minute' }: Measure): Wording {
  if (counts === 'concurrency') return { en: `${limit} calls at once`, ja: `同時に ${limit} 件` };
  const unit = counts === 'tokens' ? 'トークン' : 'リクエスト';
  return { en: `${limit} ${counts} per ${window}`, ja: `${WINDOWS_JA[window]} ${limit} ${unit}` };
}
