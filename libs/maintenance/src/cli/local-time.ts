import { loadCroner } from '../packages.cjs';
import { toIso } from '../utils/dates.js';
import { UsageError } from '../errors/usage.error.js';

const LOCAL_TIME_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?$/;

/** A time as typed: milliseconds since the epoch, or a local time, which needs a time zone. */
export type TypedTime = number | { local: string };

/** Whether the text is a date and a time without a time zone. */
export function isLocalTime(text: string): boolean {
  // Date.parse takes 30 February as 2 March.
  return (
    LOCAL_TIME_PATTERN.test(text) &&
    !Number.isNaN(Date.parse(`${text}Z`)) &&
    toIso(Date.parse(`${text}Z`)).startsWith(text)
  );
}

/**
 * Converts a local time to milliseconds since the epoch.
 *
 * @param option - the option that has the time as its value, for the error
 * @param timeZone - IANA name
 * @returns milliseconds since the epoch; in the hour that clocks repeat in autumn, the first of the two
 * @throws {@link UsageError} without a time zone, and for a time that daylight saving time skips
 */
export function resolveTime(time: TypedTime, option: string, timeZone: string | undefined): number {
  if (typeof time === 'number') return time;
  const { local } = time;
  if (timeZone === undefined) {
    throw new UsageError(
      `${option} ${local} is a local time: add its time zone, such as --tz Europe/Rome, or use ${local}Z for UTC.`,
    );
  }
  const text = local.length === 16 ? `${local}:00` : local;
  const { Cron } = loadCroner();
  const moment = new Cron(text, { timezone: timeZone, paused: true }).nextRun(new Date(0))?.getTime();
  if (moment === undefined || formatLocalTime(moment, timeZone) !== text) {
    const shown = moment === undefined ? '' : ` Clocks show ${formatLocalTime(moment, timeZone).slice(0, 16)} instead.`;
    throw new UsageError(
      `${option} ${local} does not exist in ${timeZone} (skipped by daylight saving time).${shown} Use another time, or one with an offset.`,
    );
  }
  return moment;
}

/** Formats a moment as clocks in the time zone show it. */
function formatLocalTime(moment: number, timeZone: string): string {
  const options = { timeZone, hourCycle: 'h23', dateStyle: 'short', timeStyle: 'medium' } as const;
  // The Swedish locale formats dates as ISO 8601 does.
  return new Intl.DateTimeFormat('sv-SE', options).format(moment).replace(' ', 'T');
}
