import { Cron } from 'croner';
import { toIso } from '../utils/dates.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import {
  endOf,
  isActiveAt,
  isPlannedAt,
  startOf,
  type StoredWindow,
  type WindowRecurrence,
} from './maintenance-window.js';

/** How many occurrences are looked at to see whether they overlap: more than a year of daily ones, with both changes of the clocks. */
const SAMPLE = 400;

/**
 * How many years an occurrence is looked for: 29 February on one day of the week comes back after 40 at the latest. The
 * library would look for 400, which takes milliseconds for each window whose expression never occurs.
 */
const HORIZON = 41;

/** Where an occurrence was looked for last, and found: nothing lies between the two. */
interface Search {
  cron: string;
  timeZone: string;
  after: number;
  start: number | null;
}

// By the object in the state: a state is looked at again and again, and never changed.
const searches = new WeakMap<WindowRecurrence, Search>();

const FIVE_FIELDS = /^\s*\S+(?:\s+\S+){4}\s*$/;

type Recurring = StoredWindow & { recurrence: WindowRecurrence };

/** The window itself while it is open, or the occurrence of a recurring one; `null` if nothing of it is open at `now`. */
export function presentAt(window: StoredWindow, now: number): StoredWindow | null {
  if (!isRecurring(window)) return isActiveAt(window, now) ? window : null;
  const { recurrence } = window;
  // Occurrences do not overlap: only the first that has not ended by now can have begun.
  const start = nextStart(window, now - recurrence.duration);
  if (start === null || start > now) return null;
  const occurrence = occurrenceFrom(window, start);
  return occurrence.startsAt === recurrence.ended || !isActiveAt(occurrence, now) ? null : occurrence;
}

/** The window itself while it is still to come, or the next occurrence of a recurring one; `null` if nothing of it comes. */
export function comingAt(window: StoredWindow, now: number): StoredWindow | null {
  if (!isRecurring(window)) return isPlannedAt(window, now) ? window : null;
  const start = nextStart(window, now);
  return start === null ? null : occurrenceFrom(window, start);
}

/** The first moment after `now` at which something of the window starts or ends; `Infinity` if there is none. */
export function nextBoundaryOf(window: StoredWindow, now: number): number {
  const moments = isRecurring(window)
    ? [presentAt(window, now), comingAt(window, now)].flatMap((found) => (found ? [startOf(found), endOf(found)] : []))
    : [startOf(window), endOf(window)];
  return Math.min(...moments.filter((moment) => moment > now));
}

/**
 * Checks a recurrence against the calendar.
 *
 * @param from - milliseconds since the epoch, from when it counts
 * @param until - to when
 * @throws {@link InvalidWindowError} for an expression or a time zone that nobody knows, one that never occurs, or occurrences that
 *   overlap
 */
export function assertRecurrence(recurrence: WindowRecurrence, from: number, until = Infinity): void {
  const { cron, timeZone, duration } = recurrence;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw new InvalidWindowError(
      `The time zone ${JSON.stringify(timeZone)} is not known; write an IANA name such as Europe/Rome, or UTC.`,
    );
  }
  let starts: number[];
  try {
    starts = cronOf(recurrence)
      .nextRuns(SAMPLE, new Date(from))
      .map((date) => date.getTime());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidWindowError(
      `${JSON.stringify(cron)} is not a cron expression of five fields (minute, hour, day of month, month, day of week), such as ` +
        `"0 3 * * 0" for Sundays at three: ${reason.replace(/^\w+: /, '')}`,
    );
  }
  const [first] = starts;
  if (first === undefined) throw new InvalidWindowError(`${JSON.stringify(cron)} never occurs.`);
  if (first - 1 >= until) {
    throw new InvalidWindowError(
      `${JSON.stringify(cron)} does not occur before the end of its series: first on ${toIso(first)}, which is after ${toIso(until)}.`,
    );
  }
  const shortest = Math.min(...starts.slice(1).map((start, index) => start - starts[index]!));
  if (shortest < duration) {
    throw new InvalidWindowError(
      `Its occurrences would overlap: ${JSON.stringify(cron)} comes again after ${shortest / 60_000} minutes, and each is to last ` +
        `${duration / 60_000}. Make them shorter, or use one window without an end.`,
    );
  }
}

/** Whether what a storage holds can be read as a recurrence. */
export function isUsableRecurrence(recurrence: WindowRecurrence): boolean {
  try {
    cronOf(recurrence);
    new Intl.DateTimeFormat('en', { timeZone: recurrence.timeZone });
    return true;
  } catch {
    return false;
  }
}

function isRecurring(window: StoredWindow): window is Recurring {
  return window.recurrence !== undefined;
}

function cronOf({ cron, timeZone }: WindowRecurrence): Cron {
  // The library takes dates and names such as @daily as well.
  if (!FIVE_FIELDS.test(cron)) throw new TypeError('it does not have five fields');
  return new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' });
}

/** The start of the first occurrence after `after`, within the series. */
function nextStart(window: Recurring, after: number): number | null {
  // One that starts with the series belongs to it.
  const from = Math.max(after, startOf(window) - 1);
  const start = nextRun(window.recurrence, from);
  return start !== null && start < endOf(window) ? start : null;
}

/** The first moment after `after` at which the expression occurs. */
function nextRun(recurrence: WindowRecurrence, after: number): number | null {
  const { cron, timeZone } = recurrence;
  const known = searches.get(recurrence);
  const isSame = known?.cron === cron && known.timeZone === timeZone;
  if (known && isSame && known.after <= after && (known.start === null || after < known.start)) return known.start;
  const start = searchNextRun(recurrence, after);
  searches.set(recurrence, { cron, timeZone, after, start });
  return start;
}

function searchNextRun({ cron, timeZone }: WindowRecurrence, after: number): number | null {
  const year = new Date(after).getUTCFullYear();
  // A year more at each end, for the time zones.
  const [first, last] = [year - 1, year + HORIZON].map((bound) => Math.min(Math.max(bound, 1), 9_999));
  const years = `${first}-${last}`;
  const bounded = new Cron(`0 ${cron} ${years}`, { timezone: timeZone, paused: true, mode: '7-part' });
  return bounded.nextRun(new Date(after))?.getTime() ?? null;
}

function occurrenceFrom(window: Recurring, start: number): StoredWindow {
  const end = Math.min(start + window.recurrence.duration, endOf(window));
  return { ...window, startsAt: toIso(start), endsAt: toIso(end) };
}
