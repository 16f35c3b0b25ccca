import { Cron } from 'croner';
import { toIso } from '../utils/dates.js';
import { UsageError } from '../errors/usage.error.js';

const LOCAL_TIME_PATTERN = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?$/;

/** A time that somebody typed: a moment in milliseconds since the epoch, or a local time, which needs a zone to be one. */
export type TypedTime = number | { local: string };

/** Whether the text is a date and a time without a zone. */
export function isLocalTime(text: string): boolean {
  // A day that no month has is taken for one of the next month otherwise.
  return (
    LOCAL_TIME_PATTERN.test(text) &&
    !Number.isNaN(Date.parse(`${text}Z`)) &&
    toIso(Date.parse(`${text}Z`)).startsWith(text)
  );
}

/**
 * The moment of a local time.
 *
 * @param option - what it was given to, for the message
 * @param timeZone - IANA name
 * @returns milliseconds since the epoch; of an hour that comes twice, as clocks are put back, the first
 * @throws {@link UsageError} where there is no zone, or clocks leave out that time
 */
export function resolveTime(time: TypedTime, option: string, timeZone: string | undefined): number {
  if (typeof time === 'number') return time;
  const { local } = time;
  if (timeZone === undefined) {
    throw new UsageError(
      `${option} ${local} is a local time: name its zone with --tz, such as --tz Europe/Rome, or write ${local}Z for UTC.`,
    );
  }
  const text = local.length === 16 ? `${local}:00` : local;
  const moment = new Cron(text, { timezone: timeZone, paused: true }).nextRun(new Date(0))?.getTime();
  if (moment === undefined || formatLocalTime(moment, timeZone) !== text) {
    const after = moment === undefined ? '' : ` They show ${formatLocalTime(moment, timeZone).slice(0, 16)} instead.`;
    throw new UsageError(
      `${option} ${local} does not exist in ${timeZone}: clocks are put forward then.${after} Write another time, or one with an offset.`,
    );
  }
  return moment;
}

/** What clocks there show. */
function formatLocalTime(moment: number, timeZone: string): string {
  const options = { timeZone, hourCycle: 'h23', dateStyle: 'short', timeStyle: 'medium' } as const;
  // The Swedish way to write dates is that of ISO 8601.
  return new Intl.DateTimeFormat('sv-SE', options).format(moment).replace(' ', 'T');
}
