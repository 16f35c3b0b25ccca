import type { Cron } from 'croner';
import { loadCroner } from '../packages.cjs';
import { toIso } from '../utils/dates.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import {
  getEnd,
  isActiveAt,
  isPlannedAt,
  getStart,
  type StoredWindow,
  type WindowRecurrence,
} from './maintenance-window.js';

/** The number of occurrences checked for overlaps: more than a year of daily ones, with both changes of the clocks. */
const OVERLAP_SAMPLE_SIZE = 400;

/**
 * The number of years to search for an occurrence: 29 February on a certain weekday recurs within 40. The library would
 * search 400, which takes milliseconds for each window whose expression never occurs.
 */
const SEARCH_HORIZON_YEARS = 41;

/** The result of the last search: no occurrence lies between `after` and `start`. */
interface CachedRun {
  cron: string;
  timeZone: string;
  after: number;
  start: number | null;
}

// Keyed by the object in the state, which is read many times and never modified.
const cachedRuns = new WeakMap<WindowRecurrence, CachedRun>();

const FIVE_FIELDS_PATTERN = /^\s*\S+(?:\s+\S+){4}\s*$/;

type RecurringWindow = StoredWindow & { recurrence: WindowRecurrence };

/**
 * Returns the window itself, or the occurrence of a recurring one, that is active at `now`; `null` if there is none.
 */
export function currentOccurrence(window: StoredWindow, now: number): StoredWindow | null {
  if (!isRecurring(window)) return isActiveAt(window, now) ? window : null;
  const { recurrence } = window;
  // Occurrences do not overlap: only the first that has not ended by now can have started.
  const start = findNextStart(window, now - recurrence.duration);
  if (start === null || start > now) return null;
  const occurrence = createOccurrence(window, start);
  return occurrence.startsAt === recurrence.ended || !isActiveAt(occurrence, now) ? null : occurrence;
}

/** Returns the window itself, or the occurrence of a recurring one, that starts next; `null` if there is none. */
export function nextOccurrence(window: StoredWindow, now: number): StoredWindow | null {
  if (!isRecurring(window)) return isPlannedAt(window, now) ? window : null;
  const start = findNextStart(window, now);
  return start === null ? null : createOccurrence(window, start);
}

/** Returns the occurrences of a window that start after `now`, at most `count`; of a single window, itself. */
export function listOccurrences(window: StoredWindow, now: number, count: number): StoredWindow[] {
  // A copy has a cache of its own: the one of the stored window is for decisions about requests.
  const { recurrence } = window;
  const copy = recurrence ? { ...window, recurrence: { ...recurrence } } : window;
  const found: StoredWindow[] = [];
  let next = nextOccurrence(copy, now);
  while (next && found.length < count) {
    found.push(next);
    next = nextOccurrence(copy, getStart(next));
  }
  return found;
}

/**
 * Returns the first moment after `now` at which the window or an occurrence starts or ends; `Infinity` if there is
 * none.
 */
export function findNextBoundary(window: StoredWindow, now: number): number {
  const moments = isRecurring(window)
    ? [currentOccurrence(window, now), nextOccurrence(window, now)].flatMap((found) =>
        found ? [getStart(found), getEnd(found)] : [],
      )
    : [getStart(window), getEnd(window)];
  return Math.min(...moments.filter((moment) => moment > now));
}

/**
 * Asserts that a recurrence can be used.
 *
 * @param recurrence - the recurrence
 * @param from - the start of the series, in milliseconds since the epoch
 * @param until - the end of the series
 * @throws {@link InvalidWindowError} for an invalid expression or time zone, no occurrence, or overlapping occurrences
 */
export function assertRecurrence(recurrence: WindowRecurrence, from: number, until = Infinity): void {
  const { cron, timeZone, duration } = recurrence;
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    throw new InvalidWindowError(
      `Unknown time zone ${JSON.stringify(timeZone)}: use an IANA name such as Europe/Rome, or UTC.`,
    );
  }
  let starts: number[];
  try {
    starts = createCron(recurrence)
      .nextRuns(OVERLAP_SAMPLE_SIZE, new Date(from))
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
      `Occurrences would overlap: ${JSON.stringify(cron)} repeats after ${shortest / 60_000} minutes, but each lasts ` +
        `${duration / 60_000}. Shorten them, or use one window without an end.`,
    );
  }
}

/** Whether a stored recurrence has a valid expression and time zone. */
export function isUsableRecurrence(recurrence: WindowRecurrence): boolean {
  try {
    createCron(recurrence);
    new Intl.DateTimeFormat('en', { timeZone: recurrence.timeZone });
    return true;
  } catch {
    return false;
  }
}

function isRecurring(window: StoredWindow): window is RecurringWindow {
  return window.recurrence !== undefined;
}

function createCron({ cron, timeZone }: WindowRecurrence): Cron {
  // The library takes dates and names such as @daily as well.
  if (!FIVE_FIELDS_PATTERN.test(cron)) throw new TypeError('it does not have five fields');
  const { Cron } = loadCroner();
  return new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' });
}

/** Returns the start of the first occurrence after `after`, within the series. */
function findNextStart(window: RecurringWindow, after: number): number | null {
  // An occurrence at the start of the series belongs to it.
  const from = Math.max(after, getStart(window) - 1);
  const start = findNextRun(window.recurrence, from);
  return start !== null && start < getEnd(window) ? start : null;
}

/** Returns the first moment after `after` at which the expression occurs. */
function findNextRun(recurrence: WindowRecurrence, after: number): number | null {
  const { cron, timeZone } = recurrence;
  const known = cachedRuns.get(recurrence);
  const isSame = known?.cron === cron && known.timeZone === timeZone;
  if (known && isSame && known.after <= after && (known.start === null || after < known.start)) return known.start;
  const start = searchNextRun(recurrence, after);
  cachedRuns.set(recurrence, { cron, timeZone, after, start });
  return start;
}

function searchNextRun({ cron, timeZone }: WindowRecurrence, after: number): number | null {
  const year = new Date(after).getUTCFullYear();
  // A year more at each end, for the time zones.
  const [first, last] = [year - 1, year + SEARCH_HORIZON_YEARS].map((bound) => Math.min(Math.max(bound, 1), 9_999));
  const years = `${first}-${last}`;
  const { Cron } = loadCroner();
  const bounded = new Cron(`0 ${cron} ${years}`, { timezone: timeZone, paused: true, mode: '7-part' });
  return bounded.nextRun(new Date(after))?.getTime() ?? null;
}

function createOccurrence(window: RecurringWindow, start: number): StoredWindow {
  const end = Math.min(start + window.recurrence.duration, getEnd(window));
  return { ...window, startsAt: toIso(start), endsAt: toIso(end) };
}
