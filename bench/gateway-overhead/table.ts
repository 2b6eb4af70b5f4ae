import { quantile } from './generate-load.ts';
import type { Scenario } from './scenarios.ts';

/** What one side did in one round of one scenario. */
export interface Round {
  side: string;
  scenario: string;
  round: number;
  answered: number;
  failed: number;
  cpuMicrosPerRequest: number;
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  firstByteP50Ms: number;
  firstByteP99Ms: number;
  residentMb: number;
}

type Pick = (round: Round) => number;
const CPU: Pick = (round) => round.cpuMicrosPerRequest;

/** The median over the rounds of a side; NaN where it did not take part. */
function medianOf(rounds: readonly Round[], scenario: string, side: string): (pick: Pick) => number {
  const own = rounds.filter((round) => round.scenario === scenario && round.side === side);
  return (pick) => quantile(own.map(pick), 0.5);
}

function sidesOf(rounds: readonly Round[], scenario: string): string[] {
  return [...new Set(rounds.filter((round) => round.scenario === scenario).map(({ side }) => side))];
}

function shown(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * Medians over the rounds of a scenario, a row for each side. What is added stands against `direct`, where that
 * takes part. At one at a time the 10 ms steps of CPU time are too coarse to be shown.
 */
export function tableOf(scenario: Scenario, rounds: readonly Round[]): object[] {
  const { name, concurrency } = scenario;
  const direct = medianOf(rounds, name, 'direct');
  const bareCpu = medianOf(rounds, name, 'bare')(CPU);
  return sidesOf(rounds, name).map((side) => {
    const own = medianOf(rounds, name, side);
    const added = (pick: Pick): string => (side === 'direct' ? '' : shown(own(pick) - direct(pick), 2));
    return {
      side,
      'CPU µs/request': concurrency === 1 ? '' : shown(own(CPU), 0),
      'x bare': concurrency === 1 || side === 'direct' ? '' : shown(own(CPU) / bareCpu, 2),
      'requests/s': shown(
        own((round) => round.requestsPerSecond),
        0,
      ),
      'p50 ms': shown(
        own((round) => round.p50Ms),
        2,
      ),
      'p99 ms': shown(
        own((round) => round.p99Ms),
        2,
      ),
      'added p50': added((round) => round.p50Ms),
      'added p99': added((round) => round.p99Ms),
      'first byte p50': shown(
        own((round) => round.firstByteP50Ms),
        2,
      ),
      'added first byte': added((round) => round.firstByteP50Ms),
      'RSS MB': shown(
        own((round) => round.residentMb),
        0,
      ),
      failed: rounds
        .filter((round) => round.scenario === name && round.side === side)
        .reduce((sum, round) => sum + round.failed, 0),
    };
  });
}

/** The tables of the README: what is many at once with CPU and throughput, what is one at a time with latency. */
export function markdownOf(scenarios: readonly Scenario[], rounds: readonly Round[]): string {
  const many = [
    '| many at once | side | CPU per request | x bare | requests per second | memory |',
    '|---|---|---|---|---|---|',
  ];
  const single = ['| one at a time | side | p50 | p99 | added p50 | first byte p50 |', '|---|---|---|---|---|---|'];
  for (const { name, concurrency } of scenarios) {
    const direct = medianOf(rounds, name, 'direct');
    const bareCpu = medianOf(rounds, name, 'bare')(CPU);
    for (const side of sidesOf(rounds, name)) {
      const own = medianOf(rounds, name, side);
      const cells =
        concurrency === 1
          ? [
              `${shown(
                own((round) => round.p50Ms),
                2,
              )} ms`,
              `${shown(
                own((round) => round.p99Ms),
                2,
              )} ms`,
              side === 'direct' ? '' : shown(own((round) => round.p50Ms) - direct((round) => round.p50Ms), 2),
              `${shown(
                own((round) => round.firstByteP50Ms),
                2,
              )} ms`,
            ]
          : [
              `${shown(own(CPU), 0)} µs`,
              side === 'direct' ? '' : shown(own(CPU) / bareCpu, 1),
              shown(
                own((round) => round.requestsPerSecond),
                0,
              ),
              `${shown(
                own((round) => round.residentMb),
                0,
              )} MB`,
            ];
      (concurrency === 1 ? single : many).push(`| ${[name, side, ...cells].join(' | ')} |`);
    }
  }
  return [...many, '', ...single].join('\n');
}
