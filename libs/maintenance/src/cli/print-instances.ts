import type { DrainReport, PendingInstance } from '../drain/drain-report.js';
import { HEARTBEAT_INTERVAL_MS } from '../drain/instance-reporter.js';
import type { InstanceReport } from '../core/instance-report.js';
import { formatDuration } from './duration.js';
import type { ChangeReport, Report } from './maintenance-commands.js';
import {
  countInstances,
  describeApplications,
  describeInstanceWithId,
  formatApplications,
  formatDisagreements,
} from './print-agreement.js';
import { formatSection, formatStorageSection } from './sections.js';

const NO_INSTANCE = 'no instance has reported to this storage';
/** The hint for the most frequent mistake: the application and the command use different storages. */
const OTHER_STORAGE_HINT =
  'Does the application use another file, host or key? Or it may not be able to write its reports.';
/** The number of kinds of work that are listed of one instance. */
const MAX_SHOWN_REQUESTS = 3;

/** Formats how many instances apply the stored state, for the lines below the storage. */
export function formatAgreement({ agreement, access, isAwaited }: ChangeReport): string[] {
  if (!agreement) return [];
  const { instances, disagreements } = agreement;
  if (instances.length === 0) return [`warning: ${NO_INSTANCE}. ${OTHER_STORAGE_HINT}`, ...formatAccess(access)];
  const count = instances.length - disagreements.length;
  const isAll = disagreements.length === 0;
  const applied = `${isAll || isAwaited ? '' : `${count} of `}${countInstances(instances.length)}${describeApplications(instances)}`;
  const verb = count === 1 ? 'applies it' : 'apply it';
  return [`${applied} ${isAwaited ? 'reported here' : verb}`, ...formatApplications(instances)];
}

/** Formats the report of `instances` as lines for the terminal. */
export function formatInstances(report: Report & Required<Pick<Report, 'agreement'>>): string[] {
  const { agreement, now, access } = report;
  const { instances: found, disagreements } = agreement;
  const files = new Set(found.map(({ startFile }) => startFile));
  const rows = found.map((instance) => {
    const { application = '-', startFile } = instance;
    const reason = disagreements.find((disagreement) => disagreement.instance === instance)?.reason;
    const state = reason === undefined ? '' : ` (${reason.replace('-', ' ')})`;
    return [
      files.size > 1 && startFile !== undefined ? `${application} (${startFile})` : application,
      instance.host,
      String(instance.pid),
      instance.id,
      instance.appVersion ?? '-',
      `${instance.revision}${state}`,
      `${instance.inFlight}${instance.uncounted?.length ? ' (not all counted)' : ''}`,
      String(instance.streams),
      `${formatDuration(Math.max(0, now - Date.parse(instance.seenAt)))} ago`,
    ];
  });
  const header = ['APPLICATION', 'HOST', 'PID', 'ID', 'VERSION', 'REVISION', 'IN FLIGHT', 'STREAMS', 'SEEN'];
  return [
    ...(found.length === 0
      ? [`No instance has reported to this storage. ${OTHER_STORAGE_HINT}`, ...formatAccess(access)]
      : formatTable([header, ...rows])),
    ...formatApplications(found),
    ...formatDisagreements(report),
    '',
    ...formatStorageSection(report),
  ];
}

function formatAccess(access: string | undefined): string[] {
  return access === undefined ? [] : [`Or its user may not read this file (${access}).`];
}

/** Formats the progress of a drain as one line. */
export function formatProgress({ elapsed, instances: all, pending }: DrainReport): string {
  const done = `${all.length - pending.length} of ${countInstances(all.length)} drained`;
  const blocking = pending.map(
    ({ instance, ...rest }) => `${describeInstance(instance)} ${describePendingReason({ instance, ...rest })}`,
  );
  return [`waiting ${formatDuration(elapsed)}: ${all.length === 0 ? NO_INSTANCE : done}`, ...blocking].join('; ');
}

/** Formats the result of a drain as lines for the terminal. */
export function formatDrain(report: DrainReport): string[] {
  const { drained, elapsed, instances: all, pending } = report;
  const took = formatDuration(elapsed);
  const streams = all.reduce((sum, instance) => sum + instance.streams, 0);
  const open = streams === 0 ? [] : [`${streams} ${streams === 1 ? 'stream is' : 'streams are'} still open.`];
  if (drained) {
    const [refuse, their] = all.length === 1 ? ['refuses', 'its'] : ['refuse', 'their'];
    const subject = `${countInstances(all.length)} ${refuse}`;
    return ['', `Drained after ${took}: ${subject}, and ${their} in-flight requests have finished.`, ...open];
  }
  const blocking = pending.map((one) => `${describeInstanceWithId(one.instance)}: ${describePendingReason(one)}`);
  return ['', ...formatSection('blocked by', blocking.length > 0 ? blocking : [NO_INSTANCE]), ...open];
}

/** Describes in one sentence why `--wait` gave up. */
export function describeTimeout(report: DrainReport): string {
  return `${describeBlockers(report, '--wait')} Maintenance stays on.`;
}

/**
 * Describes in one sentence why a drain did not succeed.
 *
 * @param subject - what has waited, at the beginning of the sentence
 */
export function describeBlockers({ elapsed, instances: all, pending }: DrainReport, subject: string): string {
  if (pending.length > 0 && pending.every(({ reason }) => reason === 'uncounted')) {
    const where = pending.map((one) => `${describeInstance(one.instance)} ${describePendingReason(one)}`).join('; ');
    return `${subject} can't tell whether all in-flight requests have finished: ${where}.`;
  }
  const blockers =
    all.length === 0
      ? `${NO_INSTANCE}.`
      : `${pending.length} of ${countInstances(all.length)} blocked the drain: ${pending.map(({ instance }) => describeInstance(instance)).join(', ')}.`;
  return `${subject} timed out after ${formatDuration(elapsed)}; ${blockers}`;
}

function describePendingReason({ instance, reason, silentFor }: PendingInstance): string {
  if (reason === 'forced-off') return 'still serves: maintenance is forced off, or its storage is failing';
  if (reason === 'uncounted') return `can't count ${(instance.uncounted ?? []).join('; ')}`;
  if (reason === 'behind') {
    return `has not applied it: still on revision ${instance.revision}, last seen ${formatDuration(silentFor)} ago`;
  }
  const kinds = (instance.longest ?? []).map(
    ({ name, count, oldest }) => `${name} (${count > 1 ? `${count}, ` : ''}${formatDuration(oldest + silentFor)})`,
  );
  const more = kinds.length > MAX_SHOWN_REQUESTS ? [`${kinds.length - MAX_SHOWN_REQUESTS} more`] : [];
  // An idle instance is silent for the time between two heartbeats.
  const silence = silentFor <= HEARTBEAT_INTERVAL_MS ? '' : `, silent for ${formatDuration(silentFor)}`;
  return `${instance.inFlight} in flight: ${[...kinds.slice(0, MAX_SHOWN_REQUESTS), ...more].join(', ')}${silence}`;
}

function describeInstance({ host, pid }: InstanceReport): string {
  return `${host} (pid ${pid})`;
}

function formatTable(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
