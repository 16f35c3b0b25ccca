import type { WindowRecurrence } from '../../../core/maintenance-window.js';
import { formatDuration } from './format.js';

/** The days as cron counts them. */
export const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Describes a recurrence: "every Sunday at 03:00 (Europe/Rome), for 2 h". */
export function describeRecurrence({ cron, timeZone, duration }: WindowRecurrence): string {
  return `${describeCron(cron)} (${timeZone}), for ${formatDuration(duration)}`;
}

/** Describes a cron expression in words where that is certain to be right; else names it. */
export function describeCron(cron: string): string {
  const fields = cron.trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  const time = describeTime(minute, hour);
  const days = describeDays(day, month, weekday);
  return fields.length === 5 && time && days ? `${days} ${time}` : `by the cron expression ${cron}`;
}

function describeTime(minute: string, hour: string): string | undefined {
  const minutes = parseNumber(minute, 0, 59);
  const every = /^\*\/(\d+)$/.exec(hour)?.[1];
  if (minutes === undefined) return undefined;
  if (hour === '*') return `at minute ${minutes} of every hour`;
  if (every !== undefined) return 24 % Number(every) === 0 ? `every ${every} hours, at minute ${minutes}` : undefined;
  const hours = parseList(hour, 0, 23);
  if (!hours) return undefined;
  const pad = (value: number): string => String(value).padStart(2, '0');
  return `at ${joinWords(hours.map((value) => `${pad(value)}:${pad(minutes)}`))}`;
}

function describeDays(day: string, month: string, weekday: string): string | undefined {
  const months = month === '*' ? undefined : parseList(month, 1, 12);
  if (month !== '*' && !months) return undefined;
  const inMonths = months ? `in ${joinWords(months.map((value) => MONTHS[value - 1]!))}` : '';
  if (day === '*' && weekday === '*') return joinTexts('every day', inMonths);
  // With both, cron takes either.
  if (day !== '*' && weekday !== '*') return undefined;
  if (day === '*') {
    const weekdays = parseList(weekday, 0, 7)?.map((value) => value % 7);
    if (!weekdays) return undefined;
    return joinTexts(`every ${joinWords([...new Set(weekdays)].map((value) => WEEKDAYS[value]!))}`, inMonths);
  }
  const days = parseList(day, 1, 31);
  return days && joinTexts(`on day ${joinWords(days.map(String))}`, inMonths || 'of every month');
}

function parseNumber(text: string, min: number, max: number): number | undefined {
  const value = /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}

/** Parses numbers and ranges, such as `1-5,7`. */
function parseList(text: string, min: number, max: number): number[] | undefined {
  const values: number[] = [];
  for (const item of text.split(',')) {
    const [from, to = from] = item.split('-');
    const first = parseNumber(from!, min, max);
    const last = parseNumber(to!, min, max);
    if (first === undefined || last === undefined || last < first) return undefined;
    for (let value = first; value <= last; value++) values.push(value);
  }
  return values;
}

function joinWords(words: string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function joinTexts(...texts: string[]): string {
  return texts.filter(Boolean).join(' ');
}
