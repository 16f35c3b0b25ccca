import { formatValue } from '../utils/format-value.js';
import { parseDate } from '../utils/dates.js';
import { InvalidWindowError } from '../errors/invalid-window.error.js';
import { parseAllowedIps } from './allowed-ips.js';
import {
  ALL_SCOPES,
  MAX_OCCURRENCE_MS,
  type MaintenanceMode,
  type WindowBypass,
  type WindowRecurrence,
} from './maintenance-window.js';
import { assertRecurrence } from './recurrence.js';
import { parseMessages, type WindowMessages } from './window-messages.js';

/** The options of `enable()`. An omitted option has its default, or keeps its value on an active window. */
export interface EnableOptions {
  /** The scope. @defaultValue `'*'`, the whole application */
  scope?: string;
  /** The mode. @defaultValue `'full'` */
  mode?: MaintenanceMode;
  /**
   * The start: ISO 8601 with a time zone, or a `Date`; at most a minute ago, unless the window recurs.
   *
   * @defaultValue now
   */
  startsAt?: string | Date;
  /** The end: ISO 8601 with a time zone, or a `Date`; `null` until it is turned off. @defaultValue `null` */
  endsAt?: string | Date | null;
  /** The message to clients, as plain text. */
  message?: string;
  /**
   * The message in further languages, by their tags (BCP 47): clients get the one that they prefer, the others
   * `message`. On an active window they replace the previous ones; `null` or an empty object clears them.
   */
  messages?: Readonly<Record<string, string>> | null;
  /** Seconds for `Retry-After`; 0 sends no header. @defaultValue the time until the end of the window */
  retryAfter?: number;
  /**
   * The clients that this window admits: addresses and CIDR blocks, IPv4 and IPv6, at most 100. On an active window the
   * list replaces the previous one; `null` or an empty list clears it.
   */
  allowIps?: readonly string[] | null;
  /** The author. */
  createdBy?: string;
  /**
   * The revision that you have seen, from the status. If the state has another one by now, nothing is written, and a
   * `MaintenanceStorageError` with the code `conflict` is thrown.
   */
  ifRevision?: number;
  /** The recurrence; start and end are then those of the series. */
  recurrence?: RecurrenceOptions;
}

/** The recurrence of a window. */
export interface RecurrenceOptions {
  /** The cron expression, of five fields: minute, hour, day of month, month, day of week. */
  cron: string;
  /** The IANA name of the time zone of the expression. @defaultValue `'UTC'` */
  timeZone?: string;
  /** The length of each occurrence in milliseconds. */
  duration: number;
}

/** The options of `disable()`: the windows to end, by default every active one. */
export interface DisableOptions {
  /** Ends only the windows of this scope. */
  scope?: string;
  /** Ends only this window, active or planned. */
  id?: string;
  /** Whether to cancel planned windows too. @defaultValue `false` */
  all?: boolean;
  /**
   * The revision that you have seen, from the status. If the state has another one by now, nothing is written, and a
   * `MaintenanceStorageError` with the code `conflict` is thrown.
   */
  ifRevision?: number;
}

/** The options of a window after validation; times in milliseconds since the epoch. */
export interface WindowFields {
  scope: string;
  mode: MaintenanceMode;
  startsAt?: number;
  endsAt?: number | null;
  message?: string;
  /** Empty where the messages are to be cleared. */
  messages?: WindowMessages;
  retryAfter?: number;
  /** Empty where the list is to be cleared. */
  allowIps?: readonly string[];
  /** An address to add to the list, which only the admin endpoint knows. */
  allowIp?: string;
  createdBy?: string;
  /** The revision that the caller has seen. */
  ifRevision?: number;
  recurrence?: WindowRecurrence;
  /** The secrets of its bypass, which the command line and the admin endpoints create. */
  bypass?: WindowBypass;
}

/** How far a start may lie in the past: clocks of two hosts differ, and a request takes time. */
const MAX_START_AGE_MS = 60_000;

const WINDOW_KEYS = [
  'scope',
  'mode',
  'startsAt',
  'endsAt',
  'message',
  'messages',
  'retryAfter',
  'allowIps',
  'createdBy',
  'ifRevision',
  'recurrence',
];
const RECURRENCE_KEYS = ['cron', 'timeZone', 'duration'];
const SELECTOR_KEYS = ['scope', 'id', 'all', 'ifRevision'];

/**
 * Parses the options of `enable()`, from code or from a request.
 *
 * @param options - the options
 * @param now - milliseconds since the epoch
 * @returns the fields of the window
 * @throws {@link InvalidWindowError} for options that can't be used
 */
export function parseEnableOptions(options: unknown, now: number): WindowFields {
  const given = assertKnownKeys(options, WINDOW_KEYS, 'a window');
  const fields: WindowFields = {
    scope: parseTextOption(given, 'scope') ?? ALL_SCOPES,
    mode: parseModeOption(given.mode),
    startsAt: parseDateOption(given, 'startsAt') ?? undefined,
    endsAt: parseDateOption(given, 'endsAt'),
    message: parseTextOption(given, 'message', true),
    messages: parseMessages(given.messages),
    retryAfter: parseSecondsOption(given.retryAfter),
    allowIps: parseAllowedIps(given.allowIps),
    createdBy: parseTextOption(given, 'createdBy', true),
    ifRevision: parseRevisionOption(given.ifRevision),
    recurrence: parseRecurrenceOption(given.recurrence),
  };
  if (given.startsAt === null) throw new InvalidWindowError('`startsAt` is null; leave it out to start now.');
  const { startsAt = now, endsAt } = fields;
  if (typeof endsAt === 'number') assertEnd(startsAt, endsAt, now);
  if (fields.recurrence) assertRecurrence(fields.recurrence, Math.max(startsAt, now), endsAt ?? Infinity);
  return fields;
}

/**
 * Parses the options of `during()`.
 *
 * @throws {@link InvalidWindowError} for options that can't be used, such as a start or a recurrence
 */
export function parseTemporaryOptions(options: unknown, now: number): WindowFields {
  const fields = parseEnableOptions(options, now);
  const unsupported = (['startsAt', 'recurrence'] as const).find((name) => fields[name] !== undefined);
  if (unsupported === undefined) return fields;
  throw new InvalidWindowError(
    `\`during\` starts its window at once and ends it after the work: leave \`${unsupported}\` out. For a window that starts ` +
      'later or recurs, use `enable`.',
  );
}

/**
 * Asserts that a start is not in the past.
 *
 * @throws {@link InvalidWindowError} for a start more than a minute ago, usually a mistyped date
 */
export function assertStart(startsAt: number, now: number): void {
  if (now - startsAt <= MAX_START_AGE_MS) return;
  throw new InvalidWindowError(
    `The start ${new Date(startsAt).toISOString()} is in the past (now: ${new Date(now).toISOString()}): ` +
      'leave --at out to start now; in code and over HTTP, leave `startsAt` out.',
  );
}

/**
 * Asserts that an end lies in the future and after the start.
 *
 * @throws {@link InvalidWindowError} for any other end
 */
export function assertEnd(startsAt: number, endsAt: number, now: number): void {
  const end = new Date(endsAt).toISOString();
  if (endsAt <= now) {
    throw new InvalidWindowError(`The end ${end} is in the past (now: ${new Date(now).toISOString()}).`);
  }
  if (endsAt <= startsAt) {
    throw new InvalidWindowError(`The end ${end} is not after the start ${new Date(startsAt).toISOString()}.`);
  }
}

/**
 * Parses the options of `disable()`, from code or from a request.
 *
 * @throws {@link InvalidWindowError} for options that can't be used
 */
export function parseDisableOptions(which: unknown): DisableOptions {
  const given = assertKnownKeys(which, SELECTOR_KEYS, '`disable()`');
  if (given.all !== undefined && typeof given.all !== 'boolean') {
    throw new InvalidWindowError(`\`all\` must be true or false, not ${formatValue(given.all)}.`);
  }
  return {
    scope: parseTextOption(given, 'scope'),
    id: parseTextOption(given, 'id'),
    all: given.all,
    ifRevision: parseRevisionOption(given.ifRevision),
  };
}

function assertKnownKeys(value: unknown, known: string[], what: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new InvalidWindowError(
      `Expected an object with the members ${known.join(', ')} for ${what}, not ${formatValue(value)}.`,
    );
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidWindowError(`Unknown member \`${unknown}\` for ${what}. Known are ${known.join(', ')}.`);
  }
  return value as Record<string, unknown>;
}

function parseTextOption(given: Record<string, unknown>, name: string, emptyAllowed = false): string | undefined {
  const value = given[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || (value.trim() === '' && !emptyAllowed)) {
    throw new InvalidWindowError(
      `\`${name}\` must be ${emptyAllowed ? 'a' : 'a non-empty'} string, not ${formatValue(value)}.`,
    );
  }
  return value;
}

function parseModeOption(value: unknown): MaintenanceMode {
  if (value === undefined) return 'full';
  if (value === 'full' || value === 'read-only') return value;
  throw new InvalidWindowError(`\`mode\` must be "full" or "read-only", not ${formatValue(value)}.`);
}

function parseSecondsOption(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new InvalidWindowError(
    `\`retryAfter\` must be a whole number of seconds, 0 or more, not ${formatValue(value)}.`,
  );
}

function parseRevisionOption(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new InvalidWindowError(
    `\`ifRevision\` must be the number of a revision, such as \`revision\` of the status, not ${formatValue(value)}.`,
  );
}

function parseRecurrenceOption(value: unknown): WindowRecurrence | undefined {
  if (value === undefined) return undefined;
  const given = assertKnownKeys(value, RECURRENCE_KEYS, '`recurrence`');
  const cron = parseTextOption(given, 'cron');
  if (cron === undefined) throw new InvalidWindowError('`recurrence` needs `cron`, five fields such as "0 3 * * 0".');
  const { duration } = given;
  if (!Number.isSafeInteger(duration) || (duration as number) < 1 || (duration as number) > MAX_OCCURRENCE_MS) {
    throw new InvalidWindowError(
      `\`recurrence\` needs \`duration\`, a number of milliseconds, ten years at most, not ${formatValue(duration)}.`,
    );
  }
  return { cron, timeZone: parseTextOption(given, 'timeZone') ?? 'UTC', duration: duration as number };
}

function parseDateOption(given: Record<string, unknown>, name: string): number | null | undefined {
  const value = given[name];
  if (value === undefined || value === null) return value;
  const time = value instanceof Date ? value.getTime() : typeof value === 'string' ? parseDate(value) : undefined;
  // The range in which ISO 8601 has four digits for the year.
  if (time !== undefined && time >= -62167219200000 && time <= 253402300799999) return time;
  throw new InvalidWindowError(
    `\`${name}\` must be an ISO 8601 date with a time zone, such as 2030-12-01T02:00Z or 2030-12-01T03:00+01:00, not ${formatValue(value)}.`,
  );
}
