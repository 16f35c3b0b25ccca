import { parseDate } from '../utils/dates.js';
import type { MaintenanceMode } from '../core/maintenance-window.js';
import { parseDuration } from './duration.js';
import { isLocalTime, type TypedTime } from './local-time.js';

/** Reads the value of an option; what commander calls with it. */
type Reader<T> = (text: string, previous?: T) => T;

/** The value of an option can't be used. Commander knows the code, and puts the option and the value before the message. */
class InvalidValueError extends Error {
  readonly code = 'commander.invalidArgument';
}

/** Refuses an option that is given twice, where one of the two would be dropped without a word. */
function parseOnce<T>(read: (text: string) => T): Reader<T> {
  return (text, previous) => {
    if (previous !== undefined)
      throw new InvalidValueError(`It was given before, as ${JSON.stringify(previous)}; give it once.`);
    return read(text);
  };
}

export const readText = parseOnce((text) => text);

export const readName = parseOnce((text) => {
  if (text.trim() !== '') return text;
  throw new InvalidValueError('Write a name, or leave the option out.');
});

export const readMode = parseOnce((text): MaintenanceMode => {
  if (text === 'full' || text === 'read-only') return text;
  throw new InvalidValueError('Write full or read-only.');
});

/** A moment, or a local time for which `--tz` names the zone. */
export const readTime = parseOnce((text): TypedTime => {
  const time = parseDate(text);
  if (time !== undefined) return time;
  if (isLocalTime(text)) return { local: text };
  throw new InvalidValueError(
    'Write a date that exists, as ISO 8601 with a time zone, such as 2030-12-01T02:00Z or 2030-12-01T03:00+01:00, or without one and with --tz.',
  );
});

export const readZone = parseOnce((text) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return text;
  } catch {
    throw new InvalidValueError('Write an IANA name such as Europe/Rome, or UTC.');
  }
});

/** Milliseconds. */
export const readDuration = parseOnce((text) => {
  const duration = parseDuration(text);
  if (duration !== undefined) return duration;
  throw new InvalidValueError('Write numbers with units, such as 30m, 2h, 1h30m, 90s or 1d; ten years at most.');
});

export const readSeconds = parseOnce((text) => {
  const seconds = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seconds)) return seconds;
  throw new InvalidValueError('Write a whole number of seconds, such as 120; 0 sends no Retry-After header.');
});
