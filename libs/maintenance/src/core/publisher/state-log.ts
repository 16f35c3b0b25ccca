import { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import { getLeases } from '../lease-changes.js';
import type { HistoryEntry, MaintenanceState } from '../maintenance-state.js';
import type { MaintenanceStatus } from '../maintenance-status.js';
import { ALL_SCOPES, type MaintenanceWindow } from '../maintenance-window.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import type { StorageFailurePolicy } from '../state-monitor.js';

/** One line in the log for each change of the state or of the storage's health. */
export class StateLog {
  readonly #logger = new MaintenanceLogger();
  #lastSummary = 'off';

  /** @param howToSwitch - a sentence about how to turn maintenance on */
  constructor(
    private readonly location: string,
    private readonly howToSwitch: string,
  ) {}

  /** Tells what holds at the start, and where the state is: operators compare it with what their commands name. */
  logStart({ active, source, storage, windows }: MaintenanceStatus): void {
    // What is on or planned was told when it was read.
    if (active || windows.planned.length > 0) return;
    const state = `State: ${storage.kind} ${this.location}.`;
    if (source === 'configuration') {
      return this.#logger.log(
        `Maintenance is forced off by the option \`enabled\` (environment: MAINTENANCE_MODE). ${state}`,
      );
    }
    this.#logger.log(`Maintenance is off. ${state} ${this.howToSwitch}`);
  }

  /** @param changes - what was changed since the last call, oldest first */
  logChange(status: MaintenanceStatus, state: MaintenanceState | null, changes: readonly HistoryEntry[]): void {
    const change = changes.at(-1);
    const summary = describeStatus(status, state);
    if (summary === this.#lastSummary && !change) return;
    this.#lastSummary = summary;
    const cancelled = changes.filter(({ action }) => action === 'cancel').flatMap(({ windows }) => windows);
    const cancellations = cancelled.length > 0 ? `; cancelled: ${formatFirst(cancelled, describeCancelledWindow)}` : '';
    const by = change ? ` by ${change.by ?? 'somebody'}${change.via ? ` via ${change.via}` : ''}` : '';
    this.#logger.log(`Maintenance is ${summary}${cancellations} (revision ${status.revision}${by}, ${this.location}).`);
  }

  logHealthChange(error: Error | null, policy: StorageFailurePolicy): void {
    if (error === null) return this.#logger.log(`The storage ${this.location} works again.`);
    const consequence = policy === 'last-known' ? 'the last known state counts' : `maintenance is ${policy}`;
    this.#logger.error(
      `The storage ${this.location} fails, so ${consequence} (onStorageFailure): ${toErrorMessage(error)}`,
    );
  }
}

/** Windows that one line describes; of the others it gives the number. */
const MAX_DESCRIBED_WINDOWS = 5;

function formatFirst<T>(all: readonly T[], describeOne: (one: T) => string): string {
  const described = all.slice(0, MAX_DESCRIBED_WINDOWS).map(describeOne);
  const others = all.length - described.length;
  return [...described, ...(others > 0 ? [`and ${others} more`] : [])].join(', ');
}

function describeStatus({ active, source, windows }: MaintenanceStatus, state: MaintenanceState | null): string {
  const leases = getLeases(state);
  const list = (listed: MaintenanceWindow[]): string =>
    formatFirst(listed, (window) => describeWindow(window, leases.has(window.id)));
  const planned = windows.planned.length > 0 ? `; planned: ${list(windows.planned)}` : '';
  if (!active) return `off${planned}`;
  if (windows.active.length === 0) return `on by ${source}${planned}`;
  return `on: ${list(windows.active)}${planned}`;
}

function describeWindow({ scope, mode, startsAt, endsAt, createdBy }: MaintenanceWindow, isLeased: boolean): string {
  const by = createdBy === undefined ? '' : `, set by ${createdBy}`;
  const withoutEnd = isLeased ? 'until its program is done' : 'until it is turned off';
  return `${formatScope(scope)}, ${mode}${by}, from ${startsAt} ${endsAt === null ? withoutEnd : `to ${endsAt}`}`;
}

// Of what is in the history, only the id is certain to be there.
function describeCancelledWindow({ id, scope, mode, startsAt }: Partial<HistoryEntry['windows'][number]>): string {
  if (scope === undefined || mode === undefined || startsAt === undefined) return `id ${String(id)}`;
  return `${formatScope(String(scope))}, ${String(mode)}, planned for ${String(startsAt)}`;
}

function formatScope(scope: string): string {
  return scope === ALL_SCOPES ? 'everything' : scope;
}
