import { Cron } from 'croner';
import { SekishoError } from '../../spec/errors.ts';

/**
 * When a schedule is next due, in milliseconds since 1970, or null where it never is again.
 * @param schedule five fields: minute, hour, day of month, month, day of week
 * @param timeZone IANA name of the zone in which they are read; clock changes are followed
 * @throws SekishoError invalid_request where one of them cannot be read
 */
export function nextRunMs(schedule: string, timeZone: string, nowMs: number): number | null {
  let cron: Cron;
  try {
    cron = new Cron(schedule, { timezone: timeZone, mode: '5-part', paused: true });
  } catch (cause) {
    throw wrong('schedule', 'must be a cron expression of five fields, as "0 3 * * *"', cause);
  }
  try {
    return cron.nextRun(new Date(nowMs))?.getTime() ?? null;
  } catch (cause) {
    throw wrong('time_zone', 'must be the name of a time zone, as "Asia/Tokyo"', cause);
  }
}

function wrong(param: string, problem: string, cause: unknown): SekishoError {
  return new SekishoError('invalid_request', { values: { problem: `${param}: ${problem}` }, param, cause });
}
