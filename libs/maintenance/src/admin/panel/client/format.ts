import type { HistoryEntry } from '../../../core/maintenance-state.js';
import type { MaintenanceStatus } from '../../../core/maintenance-status.js';
import type { MaintenanceMode } from '../../../core/maintenance-window.js';

const LOCALE = 'en-GB';

/** The time zone of the browser. */
export const ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;
export const IS_UTC = ZONE === 'UTC' || ZONE === 'Etc/UTC';

/** Formats a moment in a time zone, without its date if that is today. */
export function formatTime(at: number, now: number, timeZone?: string): string {
  if (Number.isNaN(at)) return 'an unknown time';
  const time = new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit', timeZone }).format(at);
  const toDay = (moment: number): string =>
    new Intl.DateTimeFormat(LOCALE, { dateStyle: 'short', timeZone }).format(moment);
  if (toDay(at) === toDay(now)) return time;
  const isSameYear = new Date(at).getUTCFullYear() === new Date(now).getUTCFullYear();
  const day = new Intl.DateTimeFormat(LOCALE, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: isSameYear ? undefined : 'numeric',
    timeZone,
  }).format(at);
  return `${day}, ${time}`;
}

/** Formats a moment in the zone of the browser and in UTC. */
export function formatMoment(iso: string | number, now: number): string {
  const at = typeof iso === 'number' ? iso : Date.parse(iso);
  const [local, utc] = [formatTime(at, now), formatTime(at, now, 'UTC')];
  if (IS_UTC) return `${utc} UTC`;
  const [localDay] = local.split(', ');
  const [utcDay, utcTime] = utc.split(', ');
  return `${local} (${localDay === utcDay && utcTime ? utcTime : utc} UTC)`;
}

/** Formats a length, such as "2 h 5 min". */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} days ${hours % 24} h` : `${days} days`;
}

/** Formats the distance of a moment from now: "in 25 min", "5 s ago". */
export function formatRelative(iso: string | number, now: number): string {
  const distance = (typeof iso === 'number' ? iso : Date.parse(iso)) - now;
  if (Math.abs(distance) < 1_000) return 'now';
  return distance > 0 ? `in ${formatDuration(distance)}` : `${formatDuration(-distance)} ago`;
}

export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

export function formatScope(scope: string): string {
  return scope === '*' ? 'everything' : scope;
}

export function formatMode(mode: MaintenanceMode): string {
  return mode === 'read-only' ? 'read-only' : 'full';
}

/** Formats scope and mode; the usual mode is not named. */
export function formatTarget({ scope = '*', mode = 'full' }: { scope?: string; mode?: MaintenanceMode }): string {
  return `${formatScope(scope)}${mode === 'read-only' ? ' (read-only)' : ''}`;
}

/** Names what is in maintenance. */
export function describeScopes({ windows }: MaintenanceStatus): string {
  if (windows.active.length === 0) return 'everything';
  return [...new Set(windows.active.map(formatTarget))].join(', ');
}

const ACTIONS: Record<string, string> = {
  on: 'turned on',
  plan: 'planned',
  change: 'changed',
  off: 'turned off',
  cancel: 'cancelled',
};

/** Formats what an entry of the history did: "turned on everything". */
export function formatAction({ action, windows }: HistoryEntry): string {
  const targets = [...new Set(windows.map(formatTarget))].join(', ');
  return `${ACTIONS[action] ?? action}${targets ? ` ${targets}` : ''}`;
}

const SOURCES: Record<string, string> = { http: 'over HTTP', cli: 'by the command line', code: 'in code' };

/** Formats where a change came from. */
export function formatSource({ via }: HistoryEntry): string {
  return via === undefined ? '' : (SOURCES[via] ?? via);
}
