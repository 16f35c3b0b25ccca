import { BYPASS_PARAMETER } from '../policy/bypass.js';
import { toIso } from '../utils/dates.js';
import { HANDWRITTEN, type HistoryEntry } from '../core/maintenance-state.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { EVERYTHING, publicWindow, startOf, type MaintenanceWindow } from '../core/maintenance-window.js';
import { showDuration } from './duration.js';
import type { ChangeReport, Report } from './operations.js';
import { describeDisagreement, disagreementJson, disagreementLines } from './print-agreement.js';
import { agreementLines } from './print-instances.js';
import { section, storageSection } from './sections.js';

/** The report of `status` for a person, line by line. */
export function statusLines(report: Report, withHistory = false): string[] {
  const { history } = report;
  return [
    headline(report),
    ...windowSections(report),
    ...disagreementLines(report),
    ...(withHistory ? ['', ...section('history', historyLines(history))] : []),
    '',
    ...storageSection(report),
  ];
}

/** The report of `on` or `off` for a person, line by line. */
export function changeLines(report: ChangeReport, nothing: string): string[] {
  const { now, change, replacedCorrupt, token } = report;
  const ended = change?.action === 'off' ? change.concerned.map(publicWindow) : [];
  const cancelled = change?.cancelled?.map(publicWindow) ?? [];
  const isDone = change !== null && change.concerned.length + cancelled.length > 0;
  return [
    `${headline(report)} ${isDone ? deed(report) : replacedCorrupt ? '' : nothing}`.trimEnd(),
    ...(replacedCorrupt ? [replacedLine(report)] : []),
    ...blocks('ended', ended, (window) => [nameOf(window), startLine(window, now)]),
    ...blocks('cancelled', cancelled, (window) => [
      nameOf(window),
      startOf(window) > now ? `was planned for ${moment(window.startsAt, now)}` : 'nothing of it was to come',
      ...recurrenceLines(window),
    ]),
    ...windowSections(report),
    ...(report.isAwaited ? [] : disagreementLines(report)),
    ...(token === undefined ? [] : ['', ...section('bypass', bypassLines(token))]),
    '',
    ...storageSection(report, agreementLines(report)),
  ];
}

function replacedLine({ keptAs }: ChangeReport): string {
  const kept = keptAs === undefined ? '' : ` It is kept as ${keptAs}.`;
  return `What was stored was corrupt, and has been replaced.${kept}`;
}

function bypassLines(token: string): string[] {
  return [
    linkOf(token),
    'on any URL of the application; programs send the value in X-Maintenance-Bypass.',
    'This is shown once. Whoever has it gets in while the window is on.',
  ];
}

function linkOf(token: string): string {
  return `/?${BYPASS_PARAMETER}=${token}`;
}

/** The report of `on` or `off` for a program. */
export function changeJson(report: ChangeReport): object {
  const { status, change, replacedCorrupt, token, agreement, isAwaited } = report;
  const bypass = token !== undefined && { bypass: { token, link: linkOf(token) } };
  return {
    ...status,
    changed: change !== null,
    ...(replacedCorrupt && { replacedCorrupt }),
    ...bypass,
    ...(agreement && { instances: agreement.instances.length }),
    ...(!isAwaited && disagreementJson(report)),
  };
}

// What is stored is said of the storage alone where instances are seen to do something else.
function headline(report: Report & { isAwaited?: boolean }): string {
  const stored = storedHeadline(report.status);
  const but = report.isAwaited ? undefined : describeDisagreement(report.status, report.agreement);
  return but === undefined ? stored : `${stored.slice(0, -1)} in the storage, but ${but}.`;
}

function storedHeadline({ active, source, windows }: MaintenanceStatus): string {
  if (source === 'configuration') {
    return (
      `Maintenance is forced ${active ? 'ON' : 'off'} by the option \`enabled\` (environment: MAINTENANCE_MODE). ` +
      'What is stored does not count.'
    );
  }
  if (!active) return 'Maintenance is off.';
  const scopes = new Set(windows.active.map(({ scope }) => scope));
  return scopes.has(EVERYTHING) ? 'Maintenance is ON.' : `Maintenance is ON for ${[...scopes].join(', ')}.`;
}

function deed({ change }: ChangeReport): string {
  const concerned = change?.concerned ?? [];
  if (change?.action === 'change') return 'The window was changed.';
  if (change?.action === 'on' || change?.action === 'plan') {
    const what = concerned.some(({ recurrence }) => recurrence) ? 'A recurring window' : 'A window';
    return `${what} was ${change.action === 'on' ? 'opened' : 'planned'}.`;
  }
  const cancelled = change?.cancelled ?? [];
  const deeds = [
    ...(concerned.length > 0 || cancelled.length === 0 ? [countWindows(concerned.length, 'ended')] : []),
    ...(cancelled.length > 0 ? [countWindows(cancelled.length, 'cancelled')] : []),
  ];
  return deeds.join(' ');
}

function countWindows(count: number, deed: string): string {
  return count === 1 ? `One window was ${deed}.` : `${count} windows were ${deed}.`;
}

function windowSections({ status: { windows }, leases, now }: Report): string[] {
  const show = (window: MaintenanceWindow): string[] => windowLines(window, leases.get(window.id), now);
  return [...blocks('on', windows.active, show), ...blocks('planned', windows.planned, show)];
}

function windowLines(window: MaintenanceWindow, leaseUntil: string | undefined, now: number): string[] {
  const { endsAt, message, retryAfter, createdBy } = window;
  const end = leaseUntil === undefined ? 'until it is turned off' : 'until its program is done';
  return [
    nameOf(window),
    `${startLine(window, now)}${endsAt === null ? `, ${end}` : ''}`,
    ...(endsAt === null ? [] : [`until ${moment(endsAt, now)}`]),
    // Not `moment`: while the program lives, this moment never comes.
    ...(leaseUntil === undefined ? [] : [`under a lease until ${utc(leaseUntil)}, which its program renews`]),
    ...recurrenceLines(window),
    ...(message ? [`"${message}"`] : []),
    ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter === 0 ? 'none' : `${retryAfter} s`}`]),
    ...(createdBy ? [`set by ${createdBy}`] : []),
  ];
}

function isRecurrence(value: unknown): boolean {
  const { cron, timeZone, duration } = (value ?? {}) as Record<string, unknown>;
  return typeof cron === 'string' && typeof timeZone === 'string' && typeof duration === 'number';
}

function recurrenceLines({ recurrence }: Pick<MaintenanceWindow, 'recurrence'>): string[] {
  if (!recurrence) return [];
  return [`every ${recurrence.cron} (${recurrence.timeZone}), for ${showDuration(recurrence.duration)}`];
}

function nameOf({ id, scope, mode }: MaintenanceWindow): string {
  return `${what(scope, mode)}, id ${id}`;
}

function startLine(window: MaintenanceWindow, now: number): string {
  if (window.id === HANDWRITTEN) return 'written by hand';
  return `${startOf(window) > now ? 'from' : 'since'} ${moment(window.startsAt, now)}`;
}

/** What was done, as `status --history` names it. */
const DEEDS: Partial<Record<string, string>> = {
  on: 'started',
  plan: 'planned',
  change: 'changed',
  off: 'ended',
  cancel: 'cancelled',
};

function historyLines(history: readonly HistoryEntry[]): string[] {
  if (history.length === 0) return ['nothing yet'];
  return history.flatMap(({ at, action, by, via, revision, windows }) => [
    `${utc(at)}  ${(DEEDS[action] ?? action).padEnd(9)}  by ${by ?? 'somebody'}${via ? ` (${via})` : ''}, revision ${revision}`,
    ...windows.map((window) => `  ${historyWindow(window)}`),
  ]);
}

// Of what is in the history, only the id is certain to be there.
function historyWindow(window: HistoryEntry['windows'][number]): string {
  const { id, scope, mode, startsAt, endsAt, message } = window;
  const parts = [
    what(scope, mode),
    startsAt && `from ${utc(startsAt)}`,
    endsAt && `until ${utc(endsAt)}`,
    ...(isRecurrence(window.recurrence) ? recurrenceLines(window) : []),
    message && `"${message}"`,
    `id ${id}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function what(scope: string | undefined, mode: string | undefined): string {
  return `${scope === EVERYTHING ? 'everything' : `scope ${scope ?? '?'}`} (${mode ?? '?'})`;
}

function moment(iso: string, now: number): string {
  const distance = Date.parse(iso) - now;
  const shown = showDuration(Math.abs(distance));
  if (Math.abs(distance) < 1_000) return `${utc(iso)} (now)`;
  return `${utc(iso)} (${distance > 0 ? `in ${shown}` : `${shown} ago`})`;
}

// As --at and --until take it. What is no date stays as it is.
function utc(date: unknown): string {
  const time = Date.parse(String(date));
  return Number.isNaN(time) ? String(date) : toIso(time).replace(/\.\d+Z$/, 'Z');
}

function blocks<T>(label: string, items: readonly T[], linesOf: (item: T) => string[]): string[] {
  return items.flatMap((item) => ['', ...section(label, linesOf(item))]);
}
