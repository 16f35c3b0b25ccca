import { BYPASS_PARAMETER } from '../policy/bypass.js';
import { toIso } from '../utils/dates.js';
import { HANDWRITTEN_LINEAGE, type HistoryEntry } from '../core/maintenance-state.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { ALL_SCOPES, toPublicWindow, getStart, type MaintenanceWindow } from '../core/maintenance-window.js';
import { formatDuration } from './duration.js';
import type { ChangeReport, Report } from './maintenance-commands.js';
import { describeDisagreement, toDisagreementJson, formatDisagreements } from './print-agreement.js';
import { formatAgreement } from './print-instances.js';
import { formatSection, formatStorageSection } from './sections.js';

/** The report of `status` for a person, line by line. */
export function formatStatus(report: Report, withHistory = false): string[] {
  const { history } = report;
  return [
    formatHeadline(report),
    ...windowSections(report),
    ...formatDisagreements(report),
    ...(withHistory ? ['', ...formatSection('history', historyLines(history))] : []),
    '',
    ...formatStorageSection(report),
  ];
}

/** The report of `on` or `off` for a person, line by line. */
export function formatChange(report: ChangeReport, nothing: string): string[] {
  const { now, change, replacedCorrupt, token } = report;
  const ended = change?.action === 'off' ? change.affected.map(toPublicWindow) : [];
  const cancelled = change?.cancelled?.map(toPublicWindow) ?? [];
  return [
    `${formatHeadline(report)} ${change === null ? nothing : describeChange(report)}`.trimEnd(),
    ...(replacedCorrupt ? [replacedLine(report)] : []),
    ...formatSections('ended', ended, (window) => [describeWindow(window), startLine(window, now)]),
    ...formatSections('cancelled', cancelled, (window) => [
      describeWindow(window),
      getStart(window) > now ? `was planned for ${formatMoment(window.startsAt, now)}` : 'nothing of it was to come',
      ...recurrenceLines(window),
    ]),
    ...windowSections(report),
    ...(report.isAwaited ? [] : formatDisagreements(report)),
    ...(token === undefined ? [] : ['', ...formatSection('bypass', bypassLines(token))]),
    '',
    ...formatStorageSection(report, formatAgreement(report)),
  ];
}

const EMPTY_STATE_WRITTEN =
  'Nothing was stored. An empty state was written, so that instances that still apply a lost one turn maintenance off.';

function replacedLine({ keptAs }: ChangeReport): string {
  const kept = keptAs === undefined ? '' : ` It is kept as ${keptAs}.`;
  return `What was stored was corrupt, and has been replaced.${kept}`;
}

function bypassLines(token: string): string[] {
  return [
    createBypassLink(token),
    'on any URL of the application; programs send the value in X-Maintenance-Bypass.',
    'This is shown once. Whoever has it gets in while the window is on.',
  ];
}

function createBypassLink(token: string): string {
  return `/?${BYPASS_PARAMETER}=${token}`;
}

/** The report of `on` or `off` for a program. */
export function toChangeJson(report: ChangeReport): object {
  const { status, change, replacedCorrupt, token, agreement, isAwaited } = report;
  const bypass = token !== undefined && { bypass: { token, link: createBypassLink(token) } };
  return {
    ...status,
    changed: change !== null,
    ...(replacedCorrupt && { replacedCorrupt }),
    ...bypass,
    ...(agreement && { instances: agreement.instances.length }),
    ...(!isAwaited && toDisagreementJson(report)),
  };
}

// What is stored is said of the storage alone where instances are seen to do something else.
function formatHeadline(report: Report & { isAwaited?: boolean }): string {
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
  return scopes.has(ALL_SCOPES) ? 'Maintenance is ON.' : `Maintenance is ON for ${[...scopes].join(', ')}.`;
}

/** Describes a change; empty for one that only replaced corrupt content, which has a line of its own. */
function describeChange({ change, replacedCorrupt }: ChangeReport): string {
  const concerned = change?.affected ?? [];
  if (change?.action === 'change') return 'The window was changed.';
  if (change?.action === 'on' || change?.action === 'plan') {
    const describeScope = concerned.some(({ recurrence }) => recurrence) ? 'A recurring window' : 'A window';
    return `${describeScope} was ${change.action === 'on' ? 'opened' : 'planned'}.`;
  }
  const cancelled = change?.cancelled ?? [];
  if (concerned.length + cancelled.length === 0) return replacedCorrupt ? '' : EMPTY_STATE_WRITTEN;
  return [
    ...(concerned.length > 0 ? [countWindows(concerned.length, 'ended')] : []),
    ...(cancelled.length > 0 ? [countWindows(cancelled.length, 'cancelled')] : []),
  ].join(' ');
}

function countWindows(count: number, deed: string): string {
  return count === 1 ? `One window was ${deed}.` : `${count} windows were ${deed}.`;
}

function windowSections({ status: { windows }, leases, now }: Report): string[] {
  const show = (window: MaintenanceWindow): string[] => windowLines(window, leases.get(window.id), now);
  return [...formatSections('on', windows.active, show), ...formatSections('planned', windows.planned, show)];
}

function windowLines(window: MaintenanceWindow, leaseUntil: string | undefined, now: number): string[] {
  const { endsAt, message, retryAfter, createdBy } = window;
  const end = leaseUntil === undefined ? 'until it is turned off' : 'until its program is done';
  return [
    describeWindow(window),
    `${startLine(window, now)}${endsAt === null ? `, ${end}` : ''}`,
    ...(endsAt === null ? [] : [`until ${formatMoment(endsAt, now)}`]),
    // Not `moment`: while the program lives, this moment never comes.
    ...(leaseUntil === undefined ? [] : [`under a lease until ${formatUtc(leaseUntil)}, which its program renews`]),
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
  return [`every ${recurrence.cron} (${recurrence.timeZone}), for ${formatDuration(recurrence.duration)}`];
}

function describeWindow({ id, scope, mode }: MaintenanceWindow): string {
  return `${what(scope, mode)}, id ${id}`;
}

function startLine(window: MaintenanceWindow, now: number): string {
  if (window.id === HANDWRITTEN_LINEAGE) return 'written by hand';
  return `${getStart(window) > now ? 'from' : 'since'} ${formatMoment(window.startsAt, now)}`;
}

/** What was done, as `status --history` names it. */
const ACTION_LABELS: Partial<Record<string, string>> = {
  on: 'started',
  plan: 'planned',
  change: 'changed',
  off: 'ended',
  cancel: 'cancelled',
};

function historyLines(history: readonly HistoryEntry[]): string[] {
  if (history.length === 0) return ['nothing yet'];
  return history.flatMap(({ at, action, by, via, revision, windows }) => [
    `${formatUtc(at)}  ${(ACTION_LABELS[action] ?? action).padEnd(9)}  by ${by ?? 'somebody'}${via ? ` (${via})` : ''}, revision ${revision}`,
    ...windows.map((window) => `  ${formatHistoryWindow(window)}`),
  ]);
}

// Of what is in the history, only the id is certain to be there.
function formatHistoryWindow(window: HistoryEntry['windows'][number]): string {
  const { id, scope, mode, startsAt, endsAt, message } = window;
  const parts = [
    what(scope, mode),
    startsAt && `from ${formatUtc(startsAt)}`,
    endsAt && `until ${formatUtc(endsAt)}`,
    ...(isRecurrence(window.recurrence) ? recurrenceLines(window) : []),
    message && `"${message}"`,
    `id ${id}`,
  ];
  return parts.filter(Boolean).join(', ');
}

function what(scope: string | undefined, mode: string | undefined): string {
  return `${scope === ALL_SCOPES ? 'everything' : `scope ${scope ?? '?'}`} (${mode ?? '?'})`;
}

function formatMoment(iso: string, now: number): string {
  const distance = Date.parse(iso) - now;
  const shown = formatDuration(Math.abs(distance));
  if (Math.abs(distance) < 1_000) return `${formatUtc(iso)} (now)`;
  return `${formatUtc(iso)} (${distance > 0 ? `in ${shown}` : `${shown} ago`})`;
}

// As --at and --until take it. What is no date stays as it is.
function formatUtc(date: unknown): string {
  const time = Date.parse(String(date));
  return Number.isNaN(time) ? String(date) : toIso(time).replace(/\.\d+Z$/, 'Z');
}

function formatSections<T>(label: string, items: readonly T[], linesOf: (item: T) => string[]): string[] {
  return items.flatMap((item) => ['', ...formatSection(label, linesOf(item))]);
}
