import type { Disagreement } from '../drain/agreement.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { formatDuration } from './duration.js';
import type { Report } from './maintenance-commands.js';
import { formatSection } from './sections.js';

/** The number of instances that are listed. */
const MAX_SHOWN_INSTANCES = 10;

/** Formats a number of instances: "1 instance", "3 instances". */
export function countInstances(count: number): string {
  return `${count} ${count === 1 ? 'instance' : 'instances'}`;
}

/**
 * Describes the instances that differ from the stored state, for the headline: "1 of 3 instances has not applied it".
 *
 * @returns `undefined` if all instances apply the stored state
 */
export function describeDisagreement(
  { active }: MaintenanceStatus,
  agreement: Report['agreement'],
): string | undefined {
  if (!agreement || agreement.disagreements.length === 0) return undefined;
  const { instances, disagreements } = agreement;
  const refusing = active ? [] : disagreements.filter(({ refuses }) => refuses);
  const count = refusing.length || disagreements.length;
  const verb = refusing.length > 0 ? ['refuses', 'refuse'] : ['has not applied it', 'have not applied it'];
  return `${count} of ${countInstances(instances.length)} ${count === 1 ? verb[0] : verb[1]}`;
}

/** Lists the instances that do not apply the stored state, each with its reason, and what to do. */
export function formatDisagreements(report: Report): string[] {
  const disagreements = report.agreement?.disagreements ?? [];
  if (disagreements.length === 0) return [];
  const named = disagreements
    .slice(0, MAX_SHOWN_INSTANCES)
    .map((one) => `${describeInstanceWithId(one.instance)}: ${describeReason(one, report)}`);
  const more =
    disagreements.length > MAX_SHOWN_INSTANCES ? [`and ${disagreements.length - MAX_SHOWN_INSTANCES} more`] : [];
  return ['', ...formatSection('differ', [...named, ...more, ...formatAdvice(report)])];
}

/**
 * Whether instances refuse calls for another reason than the stored state, and not only until a change reaches them.
 */
export function isRefusedRegardless({ agreement }: Report): boolean {
  const isLasting = ({ reason }: Disagreement): boolean => reason === 'other-state' || reason === 'forced';
  return agreement?.disagreements.some((one) => one.refuses && isLasting(one)) ?? false;
}

/** Returns the instances that do not apply the stored state for --json; an empty object if all do. */
export function toDisagreementJson({ agreement }: Report): object {
  const disagreements = agreement?.disagreements ?? [];
  if (disagreements.length === 0) return {};
  return {
    disagreeing: disagreements.map(({ instance, reason, refuses }) => {
      const { id, host, pid, application, revision, storageError, seenAt } = instance;
      return { id, host, pid, application, reason, refuses, revision, storageError, seenAt };
    }),
  };
}

/** Warns if instances of several applications report to the storage, since a change affects all of them. */
export function formatApplications(instances: readonly InstanceReport[]): string[] {
  const names = getDistinct(instances.map(({ application }) => application));
  if (names.length > 1) {
    return [
      `warning: instances of ${names.length} applications report to this storage: ${names.join(', ')}. Every change affects all of them.`,
      'Give each application a storage of its own: another file, key or bucket.',
    ];
  }
  const files = getDistinct(instances.map(({ startFile }) => startFile));
  if (files.length < 2) return [];
  return [
    `note: these instances were started from ${files.length} files: ${files.join(', ')}. If these are different applications,`,
    'give each its own storage, since every change affects all of them. If not, set the same MAINTENANCE_APPLICATION for all.',
  ];
}

/** Formats the names of the applications: " of shop", " of shop and billing"; empty if no instance reports a name. */
export function describeApplications(instances: readonly InstanceReport[]): string {
  const names = getDistinct(instances.map(({ application }) => application));
  return names.length === 0 ? '' : ` of ${names.join(' and ')}`;
}

/** Formats the place and the id of an instance: "web-1 (pid 4711, id 5f3a9c21)". */
export function describeInstanceWithId({ host, pid, id }: InstanceReport): string {
  return `${host} (pid ${pid}, id ${id})`;
}

function describeReason({ instance, reason, refuses }: Disagreement, { now, isStored, access }: Report): string {
  const { revision, lineage, storageError, seenAt } = instance;
  const behavior = refuses ? 'refuses' : 'admits everything';
  const why: Record<Disagreement['reason'], string> = {
    'other-state':
      lineage === null
        ? `has not applied it, and ${behavior}`
        : `applies revision ${revision} of a state that is ${isStored ? 'not the stored one' : 'not stored any more'}, and ${behavior}`,
    behind: `has not applied it yet (revision ${revision})`,
    forced: `${behavior}, whatever is stored${storageError === undefined ? ': its option `enabled` (MAINTENANCE_MODE) is set' : ''}`,
    clock: 'has read it, but other windows are active by its clock',
  };
  const isDenied = /\b(?:EACCES|EPERM)\b/.test(storageError ?? '');
  // The instance may not have been allowed to find out the owner and the mode.
  const isUnexplained = isDenied && access !== undefined && !storageError!.includes(access);
  const failure = isUnexplained ? `its user may not read this file (${access}): ${storageError}` : storageError;
  const ago = `last seen ${formatDuration(Math.max(0, now - Date.parse(seenAt)))} ago`;
  return `${why[reason]}, ${ago}${failure === undefined ? '' : `. Its storage is failing: ${failure}`}`;
}

function formatAdvice({ isStored, agreement }: Report): string[] {
  const isLost = agreement?.instances.some(
    ({ lineage, storageError }) => lineage !== null || storageError !== undefined,
  );
  if (isStored || !isLost) return [];
  return [
    'The stored state is gone, and the instances apply the last one that they have read. `off` turns maintenance off for all of them; `on` turns it on.',
  ];
}

function getDistinct(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))].sort();
}
