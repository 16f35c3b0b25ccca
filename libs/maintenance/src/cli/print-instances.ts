import type { DrainReport, PendingInstance } from '../drain/drain-report.js';
import { HEARTBEAT_INTERVAL_MS } from '../drain/instance-reporter.js';
import type { InstanceReport } from '../core/instance-report.js';
import { formatDuration } from './duration.js';
import type { ChangeReport, Report } from './maintenance-commands.js';
import { formatApplications, countInstances, describeApplications, formatDisagreements } from './print-agreement.js';
import { formatSection, formatStorageSection } from './sections.js';

/** The classic mistake, said wherever it may have been made. */
const NO_INSTANCE_HINT =
  'no instance has reported here. If the application runs, it uses another storage (another machine, another file?), or may not write its reports.';
/** How many kinds of work are shown of one instance. */
const MAX_SHOWN_REQUESTS = 3;

/** Formats the states that the instances apply, for the lines under the storage. */
export function formatAgreement({ agreement, access, isAwaited }: ChangeReport): string[] {
  if (!agreement) return [];
  const { instances, disagreements } = agreement;
  if (instances.length === 0) return [`warning: ${NO_INSTANCE_HINT}`, ...formatAccess(access)];
  const count = instances.length - disagreements.length;
  const isAll = disagreements.length === 0;
  const who = `${isAll || isAwaited ? '' : `${count} of `}${countInstances(instances.length)}${describeApplications(instances)}`;
  const does = count === 1 ? 'applies it' : 'apply it';
  return [`${who} ${isAwaited ? 'reported here' : does}`, ...formatApplications(instances)];
}

/** The report of `instances` for a person, line by line. */
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
  const head = ['APPLICATION', 'HOST', 'PID', 'ID', 'VERSION', 'REVISION', 'IN FLIGHT', 'STREAMS', 'SEEN'];
  return [
    ...(found.length === 0
      ? [`No instance: ${NO_INSTANCE_HINT}`, ...formatAccess(access)]
      : formatTable([head, ...rows])),
    ...formatApplications(found),
    ...formatDisagreements(report),
    '',
    ...formatStorageSection(report),
  ];
}

function formatAccess(access: string | undefined): string[] {
  return access === undefined ? [] : [`Or its user may not read this file (${access}).`];
}

/** One line on how far a drain has come. */
export function formatProgress({ elapsed, instances: all, pending }: DrainReport): string {
  const done = `${all.length - pending.length} of ${countInstances(all.length)} drained`;
  const held = pending.map(
    ({ instance, ...rest }) => `${describeInstance(instance)} ${describePendingReason({ instance, ...rest })}`,
  );
  return [`waiting ${formatDuration(elapsed)}: ${all.length === 0 ? NO_INSTANCE_HINT : done}`, ...held].join('; ');
}

/** How a drain came out, line by line. */
export function formatDrain(report: DrainReport): string[] {
  const { drained, elapsed, instances: all, pending } = report;
  const took = formatDuration(elapsed);
  const streams = all.reduce((sum, instance) => sum + instance.streams, 0);
  const open = streams === 0 ? [] : [`${streams} ${streams === 1 ? 'stream is' : 'streams are'} still open.`];
  if (drained) {
    const who = `${countInstances(all.length)} ${all.length === 1 ? 'refuses' : 'refuse'}`;
    return ['', `Drained after ${took}: ${who}, and nothing admitted before is in flight.`, ...open];
  }
  const held = pending.map((one) => `${describeInstanceWithId(one.instance)}: ${describePendingReason(one)}`);
  return ['', ...formatSection('held by', held.length > 0 ? held : [NO_INSTANCE_HINT]), ...open];
}

/** Why `--wait` gave up, in one sentence. */
export function describeTimeout({ elapsed, instances: all, pending }: DrainReport): string {
  if (pending.length > 0 && pending.every(({ reason }) => reason === 'uncounted')) {
    const where = pending.map((one) => `${describeInstance(one.instance)} ${describePendingReason(one)}`).join('; ');
    return `--wait can't tell whether everything admitted before is done: ${where}. Maintenance stays on.`;
  }
  const who =
    all.length === 0
      ? NO_INSTANCE_HINT
      : `${pending.length} of ${countInstances(all.length)} held it up: ${pending.map(({ instance }) => describeInstance(instance)).join(', ')}.`;
  return `--wait timed out after ${formatDuration(elapsed)}; ${who} Maintenance stays on.`;
}

function describePendingReason({ instance, reason, silentFor }: PendingInstance): string {
  if (reason === 'forced-off') return 'is kept open by its configuration, or by its storage failing';
  if (reason === 'uncounted') return `can't count ${(instance.uncounted ?? []).join('; ')}`;
  if (reason === 'behind') {
    return `has not applied it (revision ${instance.revision}), last heard of ${formatDuration(silentFor)} ago`;
  }
  const kinds = (instance.longest ?? []).map(
    ({ name, count, oldest }) => `${name} (${count > 1 ? `${count}, ` : ''}${formatDuration(oldest + silentFor)})`,
  );
  const more = kinds.length > MAX_SHOWN_REQUESTS ? [`${kinds.length - MAX_SHOWN_REQUESTS} more`] : [];
  // To which nothing happens says nothing for so long.
  const silence = silentFor <= HEARTBEAT_INTERVAL_MS ? '' : `, silent for ${formatDuration(silentFor)}`;
  return `${instance.inFlight} in flight: ${[...kinds.slice(0, MAX_SHOWN_REQUESTS), ...more].join(', ')}${silence}`;
}

function describeInstance({ host, pid }: InstanceReport): string {
  return `${host} (pid ${pid})`;
}

function describeInstanceWithId({ host, pid, id }: InstanceReport): string {
  return `${host} (pid ${pid}, id ${id})`;
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
