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

/** Formats the report of `status` as lines for the terminal. */
export function formatStatus(report: Report, withHistory = false): string[] {
  const { history } = report;
  return [
    formatHeadline(report),
    ...formatWindows(report),
    ...formatDisagreements(report),
    ...(withHistory ? ['', ...formatSection('history', formatHistory(history))] : []),
    '',
    ...formatStorageSection(report),
  ];
}

/**
 * Formats the report of `on` or `off` as lines for the terminal.
 *
 * @param unchanged - the sentence for a command that changed nothing
 */
export function formatChange(report: ChangeReport, unchanged: string): string[] {
  const { now, change, replacedCorrupt, token } = report;
  const ended = change?.action === 'off' ? change.affected.map(toPublicWindow) : [];
  const cancelled = change?.cancelled?.map(toPublicWindow) ?? [];
  return [
    `${formatHeadline(report)} ${change === null ? unchanged : describeChange(report)}`.trimEnd(),
    ...(replacedCorrupt ? [describeReplacement(report)] : []),
    ...formatSections('ended', ended, (window) => [describeWindow(window), describeStart(window, now)]),
    ...formatSections('cancelled', cancelled, (window) => [
      describeWindow(window),
      getStart(window) > now ? `was planned for ${formatMoment(window.startsAt, now)}` : 'no occurrence was left',
      ...formatRecurrence(window),
    ]),
    ...formatWindows(report),
    ...(report.isAwaited ? [] : formatDisagreements(report)),
    ...(token === undefined ? [] : ['', ...formatSection('bypass', formatBypass(token))]),
    '',
    ...formatStorageSection(report, formatAgreement(report)),
  ];
}

const EMPTY_STATE_WRITTEN =
  'Nothing was stored. An empty state was written, so that instances that still apply a lost one turn maintenance off.';

function describeReplacement({ keptAs, replacedForeign }: ChangeReport): string {
  const kept = keptAs === undefined ? '' : ` It is kept as ${keptAs}.`;
  const replaced = replacedForeign ? 'The stored content was not a maintenance state' : 'The stored state was corrupt';
  return `${replaced} and has been replaced.${kept}`;
}

function formatBypass(token: string): string[] {
  return [
    createBypassLink(token),
    'Works on any URL of the application; programs send the token as the header X-Maintenance-Bypass.',
    'Shown only once. Anyone with the link is admitted while the window is active.',
  ];
}

function createBypassLink(token: string): string {
  return `/?${BYPASS_PARAMETER}=${token}`;
}

/** Returns the report of `on` or `off` for --json. */
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

// If instances differ from the stored state, the headline has to say that it is about the storage only.
function formatHeadline(report: Report & { isAwaited?: boolean }): string {
  const stored = describeStoredStatus(report.status);
  const disagreement = report.isAwaited ? undefined : describeDisagreement(report.status, report.agreement);
  return disagreement === undefined ? stored : `${stored.slice(0, -1)} in the storage, but ${disagreement}.`;
}

function describeStoredStatus({ active, source, windows }: MaintenanceStatus): string {
  if (source === 'configuration') {
    return (
      `Maintenance is forced ${active ? 'ON' : 'off'} by the option \`enabled\` (environment: MAINTENANCE_MODE). ` +
      'The stored state is ignored.'
    );
  }
  if (!active) return 'Maintenance is off.';
  const scopes = new Set(windows.active.map(({ scope }) => scope));
  return scopes.has(ALL_SCOPES) ? 'Maintenance is ON.' : `Maintenance is ON for ${[...scopes].join(', ')}.`;
}

/** Describes a change; empty for one that only replaced corrupt content, which has a line of its own. */
function describeChange({ change, replacedCorrupt }: ChangeReport): string {
  const affected = change?.affected ?? [];
  if (change?.action === 'change') return 'The window was changed.';
  if (change?.action === 'on' || change?.action === 'plan') {
    const subject = affected.some(({ recurrence }) => recurrence) ? 'A recurring window' : 'A window';
    return `${subject} was ${change.action === 'on' ? 'started' : 'planned'}.`;
  }
  const cancelled = change?.cancelled ?? [];
  if (affected.length + cancelled.length === 0) return replacedCorrupt ? '' : EMPTY_STATE_WRITTEN;
  return [
    ...(affected.length > 0 ? [countWindows(affected.length, 'ended')] : []),
    ...(cancelled.length > 0 ? [countWindows(cancelled.length, 'cancelled')] : []),
  ].join(' ');
}

function countWindows(count: number, verb: string): string {
  return count === 1 ? `One window was ${verb}.` : `${count} windows were ${verb}.`;
}

function formatWindows({ status: { windows }, leases, now }: Report): string[] {
  const format = (window: MaintenanceWindow): string[] => formatWindow(window, leases.get(window.id), now);
  return [...formatSections('on', windows.active, format), ...formatSections('planned', windows.planned, format)];
}

function formatWindow(window: MaintenanceWindow, leaseUntil: string | undefined, now: number): string[] {
  const { endsAt, message, messages = {}, retryAfter, allowIps = [], createdBy } = window;
  const end = leaseUntil === undefined ? 'until it is turned off' : 'until its program is done';
  return [
    describeWindow(window),
    `${describeStart(window, now)}${endsAt === null ? `, ${end}` : ''}`,
    ...(endsAt === null ? [] : [`until ${formatMoment(endsAt, now)}`]),
    // Without "in 40 s": the program renews the lease before it runs out.
    ...(leaseUntil === undefined ? [] : [`under a lease until ${formatUtc(leaseUntil)}, which its program renews`]),
    ...formatRecurrence(window),
    ...(message ? [`"${message}"`] : []),
    ...Object.entries(messages).map(([tag, text]) => `${tag}: "${text}"`),
    ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter === 0 ? 'none' : `${retryAfter} s`}`]),
    ...(allowIps.length > 0 ? [formatAllowedIps(allowIps)] : []),
    ...(createdBy ? [`set by ${createdBy}`] : []),
  ];
}

/** The number of addresses that one line shows. */
const MAX_SHOWN_ADDRESSES = 5;

function formatAllowedIps(addresses: readonly string[]): string {
  const others = addresses.length - MAX_SHOWN_ADDRESSES;
  return `admits ${addresses.slice(0, MAX_SHOWN_ADDRESSES).join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
}

function isRecurrence(value: unknown): boolean {
  const { cron, timeZone, duration } = (value ?? {}) as Record<string, unknown>;
  return typeof cron === 'string' && typeof timeZone === 'string' && typeof duration === 'number';
}

function formatRecurrence({ recurrence }: Pick<MaintenanceWindow, 'recurrence'>): string[] {
  if (!recurrence) return [];
  return [`every ${recurrence.cron} (${recurrence.timeZone}), for ${formatDuration(recurrence.duration)}`];
}

function describeWindow({ id, scope, mode }: MaintenanceWindow): string {
  return `${describeTarget(scope, mode)}, id ${id}`;
}

function describeStart(window: MaintenanceWindow, now: number): string {
  if (window.id === HANDWRITTEN_LINEAGE) return 'written by hand';
  return `${getStart(window) > now ? 'from' : 'since'} ${formatMoment(window.startsAt, now)}`;
}

/** The verb of each action in `status --history`. */
const ACTION_LABELS: Partial<Record<string, string>> = {
  on: 'started',
  plan: 'planned',
  change: 'changed',
  off: 'ended',
  cancel: 'cancelled',
};

function formatHistory(history: readonly HistoryEntry[]): string[] {
  if (history.length === 0) return ['no changes yet'];
  return history.flatMap(({ at, action, by, via, revision, windows }) => [
    `${formatUtc(at)}  ${(ACTION_LABELS[action] ?? action).padEnd(9)}  by ${by ?? 'unknown'}${via ? ` (${via})` : ''}, revision ${revision}`,
    ...windows.map((window) => `  ${formatHistoryWindow(window)}`),
  ]);
}

// Stored entries are not validated: only the id is certain to be there.
function formatHistoryWindow(window: HistoryEntry['windows'][number]): string {
  const { id, scope, mode, startsAt, endsAt, message, allowIps } = window;
  const fields = [
    describeTarget(scope, mode),
    startsAt && `from ${formatUtc(startsAt)}`,
    endsAt && `until ${formatUtc(endsAt)}`,
    ...(isRecurrence(window.recurrence) ? formatRecurrence(window) : []),
    message && `"${message}"`,
    ...(Array.isArray(allowIps) && allowIps.length > 0 ? [formatAllowedIps(allowIps)] : []),
    `id ${id}`,
  ];
  return fields.filter(Boolean).join(', ');
}

function describeTarget(scope: string | undefined, mode: string | undefined): string {
  return `${scope === ALL_SCOPES ? 'everything' : `scope ${scope ?? '?'}`} (${mode ?? '?'})`;
}

function formatMoment(iso: string, now: number): string {
  const distance = Date.parse(iso) - now;
  const shown = formatDuration(Math.abs(distance));
  if (Math.abs(distance) < 1_000) return `${formatUtc(iso)} (now)`;
  return `${formatUtc(iso)} (${distance > 0 ? `in ${shown}` : `${shown} ago`})`;
}

// The format that --at and --until accept. A text that is not a date is shown unchanged.
function formatUtc(date: unknown): string {
  const time = Date.parse(String(date));
  return Number.isNaN(time) ? String(date) : toIso(time).replace(/\.\d+Z$/, 'Z');
}

function formatSections<T>(label: string, items: readonly T[], format: (item: T) => string[]): string[] {
  return items.flatMap((item) => ['', ...formatSection(label, format(item))]);
}
