import type { Disagreement } from '../drain/agreement.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceStatus } from '../core/maintenance-status.js';
import { formatDuration } from './duration.js';
import type { Report } from './maintenance-commands.js';
import { formatSection } from './sections.js';

/** How many instances are named at most. */
const MAX_SHOWN_INSTANCES = 10;

/** "1 instance", "3 instances". */
export function countInstances(count: number): string {
  return `${count} ${count === 1 ? 'instance' : 'instances'}`;
}

/**
 * What the instances do that do not apply what is stored, for the headline: "1 of 3 instances has not applied it".
 *
 * @returns `undefined` where all do
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

/** The instances that do not apply what is stored, each with the reason, and what to do. */
export function formatDisagreements(report: Report): string[] {
  const disagreements = report.agreement?.disagreements ?? [];
  if (disagreements.length === 0) return [];
  const named = disagreements
    .slice(0, MAX_SHOWN_INSTANCES)
    .map((one) => `${describePlace(one.instance)}: ${describeReason(one, report)}`);
  const more =
    disagreements.length > MAX_SHOWN_INSTANCES ? [`and ${disagreements.length - MAX_SHOWN_INSTANCES} more`] : [];
  return ['', ...formatSection('differ', [...named, ...more, ...formatAdvice(report)])];
}

/** Whether instances refuse though nothing that is stored says so, and will go on: it is more than a change on its way. */
export function isRefusedRegardless({ agreement }: Report): boolean {
  const isLasting = ({ reason }: Disagreement): boolean => reason === 'other-state' || reason === 'forced';
  return agreement?.disagreements.some((one) => one.refuses && isLasting(one)) ?? false;
}

/** The instances that do not apply what is stored, for a program; nothing where all do. */
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

/** Says where instances of several applications report: each of them is switched. */
export function formatApplications(instances: readonly InstanceReport[]): string[] {
  const names = getDistinct(instances.map(({ application }) => application));
  if (names.length > 1) {
    return [
      `warning: instances of ${names.length} applications report here: ${names.join(', ')}. Each change is a change for all of them.`,
      'Give each application a storage of its own: another file, key or bucket.',
    ];
  }
  const files = getDistinct(instances.map(({ startFile }) => startFile));
  if (files.length < 2) return [];
  return [
    `note: these instances were started from ${files.length} files: ${files.join(', ')}. If these are different applications,`,
    'give each a storage of its own, since each change is a change for all of them. If not, name it: MAINTENANCE_APPLICATION.',
  ];
}

/** "of shop", "of shop and billing"; empty where no instance says what it belongs to. */
export function describeApplications(instances: readonly InstanceReport[]): string {
  const names = getDistinct(instances.map(({ application }) => application));
  return names.length === 0 ? '' : ` of ${names.join(' and ')}`;
}

function describePlace({ host, pid, id }: InstanceReport): string {
  return `${host} (pid ${pid}, id ${id})`;
}

function describeReason({ instance, reason, refuses }: Disagreement, { now, isStored, access }: Report): string {
  const { revision, lineage, storageError, seenAt } = instance;
  const does = refuses ? 'refuses' : 'admits everything';
  const why: Record<Disagreement['reason'], string> = {
    'other-state':
      lineage === null
        ? `has not applied it, and ${does}`
        : `applies revision ${revision} of a state that is ${isStored ? 'not the stored one' : 'not stored any more'}, and ${does}`,
    behind: `has not applied it yet (revision ${revision})`,
    forced: `${does}, whatever is stored${storageError === undefined ? ': its configuration says so (MAINTENANCE_MODE)' : ''}`,
    clock: 'has read it, but by its clock other windows are active',
  };
  const isDenied = /\b(?:EACCES|EPERM)\b/.test(storageError ?? '');
  // The instance may not have been allowed to find out the owner and the mode.
  const isUnexplained = isDenied && access !== undefined && !storageError!.includes(access);
  const failure = isUnexplained ? `its user may not read this file (${access}): ${storageError}` : storageError;
  const ago = `last heard of ${formatDuration(Math.max(0, now - Date.parse(seenAt)))} ago`;
  return `${why[reason]}, ${ago}${failure === undefined ? '' : `. Its storage fails: ${failure}`}`;
}

function formatAdvice({ isStored, agreement }: Report): string[] {
  const knew = agreement?.instances.some(({ lineage, storageError }) => lineage !== null || storageError !== undefined);
  if (isStored || !knew) return [];
  return [
    'What was stored is gone, and instances go by what they knew. `on` stores it again; `off` turns maintenance off for all of them.',
  ];
}

function getDistinct(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))].sort();
}
