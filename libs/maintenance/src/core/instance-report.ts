import { parseDate } from '../utils/dates.js';

/** How long a storage keeps a report, in milliseconds: somewhat longer than three heartbeats. */
export const REPORT_TTL_MS = 100_000;

/** How far the clocks of two instances may differ. A report dated further ahead would otherwise count until then. */
const MAX_CLOCK_SKEW_MS = 15 * 60_000;

/** In-flight work of one kind that a window waits for. */
export interface BlockingWork {
  /** The handler, such as `GET /orders/:id`. Never contains values that the caller sent. */
  name: string;
  /** The number of calls in flight. */
  count: number;
  /** The age of the oldest call, in milliseconds. */
  oldest: number;
}

/** The report of one instance: the state that it applies and the work that it has in flight. */
export interface InstanceReport {
  /** The id of the instance, unique for the life of the process. */
  id: string;
  /** The name of the host. */
  host: string;
  /** The process id. */
  pid: number;
  /** The machine and, in containers, the namespace in which `pid` is unique; missing where that is unknown. */
  machine?: string;
  /** The start of the process as the system counts it, which tells two processes with the same `pid` apart. */
  started?: string;
  /** The application that the instance belongs to. */
  application?: string;
  /** The file that was started, relative to its package.json; missing where the option `application` is set. */
  startFile?: string;
  /** The version of the application, if known. */
  appVersion?: string;
  /** The lineage of the state that the instance applies; `null` where none is stored. */
  lineage: string | null;
  /** The revision of the state that the instance applies. */
  revision: number;
  /** The windows that are active by the clock of the instance. */
  windows?: { id: string; startsAt: string }[];
  /** The answer for every call where the option `enabled`, or a failing storage, decides instead of the windows. */
  forced?: boolean;
  /** The error of the storage, while the instance can't read it. */
  storageError?: string;
  /** The number of requests, messages and jobs admitted before the window and not finished; without streams. */
  inFlight: number;
  /** The number of open streams. */
  streams: number;
  /** The kinds of work that have been in flight longest, at most ten. */
  longest?: BlockingWork[];
  /** Work that the instance runs but can't count, one phrase each: a drain can't tell whether it has finished. */
  uncounted?: string[];
  /** Whether the instance has shut down in good order. */
  stopped?: boolean;
  /** The time at which the instance wrote this report, ISO 8601 in UTC. */
  seenAt: string;
  [extra: string]: unknown;
}

/**
 * Returns `value` as a report. A report comes from outside: another version, or a person, may have written it.
 *
 * @returns `undefined` where `value` is not a report
 */
export function toInstanceReport(value: unknown): InstanceReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const report = value as Record<string, unknown>;
  const isReport =
    typeof report.id === 'string' &&
    typeof report.host === 'string' &&
    report.host !== '' &&
    [report.pid, report.revision, report.inFlight, report.streams].every(isCount) &&
    (report.lineage === null || typeof report.lineage === 'string') &&
    typeof report.seenAt === 'string' &&
    parseDate(report.seenAt) !== undefined &&
    OPTIONAL_TEXT_MEMBERS.every((name) => isOptionalOfType(report[name], 'string')) &&
    ['forced', 'stopped'].every((name) => isOptionalOfType(report[name], 'boolean')) &&
    isOptionalList(report.windows, ({ id, startsAt }) => typeof id === 'string' && typeof startsAt === 'string') &&
    isOptionalList(
      report.longest,
      ({ name, count, oldest }) => typeof name === 'string' && isCount(count) && isCount(oldest),
    ) &&
    (report.uncounted === undefined || isTextList(report.uncounted));
  return isReport ? (value as InstanceReport) : undefined;
}

/**
 * Whether a report still counts, because it is not older than `ttl`.
 *
 * @param report - the report
 * @param now - milliseconds since the epoch
 * @param ttl - the age up to which a report counts, in milliseconds
 * @param writtenAt - when the storage received the report: used where a wrong clock dated it in the future
 */
export function isCurrent({ seenAt }: InstanceReport, now: number, ttl: number, writtenAt: number): boolean {
  const seen = parseDate(seenAt) ?? 0;
  const at = seen <= now ? seen : writtenAt;
  return at > now - ttl && at < now + MAX_CLOCK_SKEW_MS;
}

const OPTIONAL_TEXT_MEMBERS = ['machine', 'started', 'application', 'startFile', 'appVersion', 'storageError'];

function isOptionalOfType(value: unknown, type: 'string' | 'boolean'): boolean {
  return value === undefined || typeof value === type;
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isOptionalList(value: unknown, isItem: (item: Record<string, unknown>) => boolean): boolean {
  if (value === undefined) return true;
  if (!Array.isArray(value)) return false;
  return value.every((item: unknown) => typeof item === 'object' && item !== null && isItem(item as never));
}
