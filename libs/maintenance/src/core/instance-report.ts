import { parseDate } from '../utils/dates.js';
import type { BlockingWork } from '../drain/in-flight-tracker.js';

/** How long a report counts, in milliseconds: somewhat longer than three heartbeats. */
export const REPORT_TTL_MS = 100_000;

/** By how much two clocks may differ. What is further in the future would count until the clock gets there. */
const MAX_CLOCK_SKEW_MS = 15 * 60_000;

/** What one instance of the application says of itself. */
export interface InstanceReport {
  /** Unique for the life of the process. */
  id: string;
  host: string;
  pid: number;
  /** Identifies the machine and, in containers, the namespace in which `pid` counts; missing where that can't be found out. */
  machine?: string;
  /** When the process started, as the system counts it: another process that has got the same `pid` differs in it. */
  started?: string;
  /** The application that the instance belongs to. */
  application?: string;
  /** The file that was started, from the folder of its package.json; missing where the application's name was given. */
  startFile?: string;
  /** Version of the application, if known. */
  appVersion?: string;
  /** Lineage and revision of the state that the instance applies. */
  lineage: string | null;
  revision: number;
  /** The windows that are open for it, by its own clock. */
  windows?: { id: string; startsAt: string }[];
  /** What its configuration, or the failure of its storage, answers for everything, whatever is stored. */
  forced?: boolean;
  /** Why it can't read its storage, if so. */
  storageError?: string;
  /** Requests, messages and jobs that were admitted before the window and are not done yet; streams are counted apart. */
  inFlight: number;
  streams: number;
  /** The kinds of work that have been in flight longest, at most ten. */
  longest?: BlockingWork[];
  /** Work that goes on in the instance and that it can't count, one sentence fragment each: a drain can't vouch for it. */
  uncounted?: string[];
  /** It has ended in good order. */
  stopped?: boolean;
  /** When the instance wrote this, ISO 8601 in UTC. */
  seenAt: string;
  [extra: string]: unknown;
}

/**
 * Returns the report that `value` is. Reports come from outside: another version may have written one, or a person.
 *
 * @returns `undefined` for anything else
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
    isOptionalListOf(report.windows, ({ id, startsAt }) => typeof id === 'string' && typeof startsAt === 'string') &&
    isOptionalListOf(
      report.longest,
      ({ name, count, oldest }) => typeof name === 'string' && isCount(count) && isCount(oldest),
    ) &&
    (report.uncounted === undefined || isTextList(report.uncounted));
  return isReport ? (value as InstanceReport) : undefined;
}

/**
 * Whether a report still counts: it is not older than `ttl`.
 *
 * @param now - milliseconds since the epoch
 * @param writtenAt - when the storage received the report: counts where the report is dated in the future by a wrong clock
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

function isOptionalListOf(value: unknown, isItem: (item: Record<string, unknown>) => boolean): boolean {
  if (value === undefined) return true;
  if (!Array.isArray(value)) return false;
  return value.every((item: unknown) => typeof item === 'object' && item !== null && isItem(item as never));
}
