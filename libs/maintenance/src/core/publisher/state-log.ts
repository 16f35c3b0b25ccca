import type { MaintenanceLogger } from '../../utils/maintenance-logger.js';
import { toErrorMessage } from '../../utils/to-error-message.js';
import { getLeases } from '../lease-changes.js';
import type { HistoryEntry, MaintenanceState } from '../maintenance-state.js';
import type { MaintenanceStatus } from '../maintenance-status.js';
import { ALL_SCOPES, type MaintenanceWindow } from '../maintenance-window.js';
import type { StorageFailurePolicy } from '../state-monitor.js';

/** The dependencies of {@link StateLog}. */
export interface StateLogOptions {
  logger: Pick<MaintenanceLogger, 'log' | 'error'>;
  /** The location of the storage. */
  location: string;
  /** The application that this instance belongs to. */
  application: string;
  /** The sentence that tells operators how to turn maintenance on. */
  howToTurnOn: string;
}

/** Writes one line to the log for each change of the state or of the health of the storage. */
export class StateLog {
  #lastSummary = 'off';

  constructor(private readonly options: StateLogOptions) {}

  /**
   * Logs that maintenance is off at the start, and the storage, which operators compare with that of their commands.
   */
  logStart({ active, source, storage, windows }: MaintenanceStatus): void {
    const { logger, location, application, howToTurnOn } = this.options;
    // Active and planned windows were logged when the state was read.
    if (active || windows.planned.length > 0) return;
    const state = `State: ${storage.kind} ${location}. Application: ${application}.`;
    if (source === 'configuration') {
      return logger.log(
        `Maintenance is forced off by the option \`enabled\` (environment: MAINTENANCE_MODE). ${state}`,
      );
    }
    logger.log(`Maintenance is off. ${state} ${howToTurnOn}`);
  }

  /**
   * Logs the windows that are active and planned now, unless the last line was the same.
   *
   * @param status - the status now
   * @param state - the state that the status was computed from
   * @param changes - the entries of the history since the last call, oldest first
   */
  logChange(status: MaintenanceStatus, state: MaintenanceState | null, changes: readonly HistoryEntry[]): void {
    const { logger, location, application } = this.options;
    const change = changes.at(-1);
    const summary = describeStatus(status, state);
    if (summary === this.#lastSummary && !change) return;
    this.#lastSummary = summary;
    const cancelled = changes.filter(({ action }) => action === 'cancel').flatMap(({ windows }) => windows);
    const cancellations = cancelled.length > 0 ? `; cancelled: ${formatFirst(cancelled, describeCancelledWindow)}` : '';
    const by = change ? ` by ${change.by ?? 'unknown'}${change.via ? ` via ${change.via}` : ''}` : '';
    logger.log(
      `Maintenance is ${summary}${cancellations} (revision ${status.revision}${by}, ${location}, application ${application}).`,
    );
  }

  /**
   * Logs that the storage fails, or works again.
   *
   * @param error - `null` where the storage works again
   * @param policy - the option `onStorageFailure`
   */
  logHealthChange(error: Error | null, policy: StorageFailurePolicy): void {
    const { logger, location } = this.options;
    if (error === null) return logger.log(`The storage ${location} works again.`);
    const consequence = policy === 'last-known' ? 'the last known state applies' : `maintenance is ${policy}`;
    logger.error(
      `The storage ${location} fails, so ${consequence} (onStorageFailure: ${policy}): ${toErrorMessage(error)}`,
    );
  }
}

/** The number of windows that one line describes; the others are only counted. */
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

// Entries of the history are only checked for the id.
function describeCancelledWindow({ id, scope, mode, startsAt }: Partial<HistoryEntry['windows'][number]>): string {
  if (scope === undefined || mode === undefined || startsAt === undefined) return `id ${String(id)}`;
  return `${formatScope(String(scope))}, ${String(mode)}, planned for ${String(startsAt)}`;
}

function formatScope(scope: string): string {
  return scope === ALL_SCOPES ? 'everything' : scope;
}
