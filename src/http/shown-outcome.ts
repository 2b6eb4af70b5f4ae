import { isEvaluationRun } from '../evals/evaluation-runs.ts';
import { snakeKeys } from '../lib/camel-keys.ts';
import { shownEvaluation } from './routes/evaluations.ts';

/** What a job of evaluation made, as callers see it. */
export function shownOutcome(outcome: object): object {
  return isEvaluationRun(outcome) ? shownEvaluation(outcome) : snakeKeys(outcome);
}
