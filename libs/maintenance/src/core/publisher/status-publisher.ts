import type { HistoryEntry, MaintenanceState } from '../maintenance-state.js';
import type { MaintenanceStatus } from '../maintenance-status.js';
import { HistoryCursor } from './history-cursor.js';
import type { StateLog } from './state-log.js';
import type { UnknownScopeWarning } from './unknown-scope-warning.js';

/** The message on the diagnostics channel `nestjs-maintenance:change`. */
export interface ChangeMessage {
  status: MaintenanceStatus;
  /** The changes since the last message, oldest first; empty where only time has passed, as at the end of a window. */
  changes: readonly HistoryEntry[];
}

/** The receivers of a change, in the order in which they are told. */
export interface StatusPublisherOptions {
  log: StateLog;
  scopeWarning: UnknownScopeWarning;
  /** Publishes the message on the diagnostics channel. */
  onChange: (message: ChangeMessage) => void;
  /** Reports the revision that the instance now applies. */
  onRevision: () => void;
  /** Emits the status to the subscribers of `MaintenanceService.changes`. */
  onStatus: (status: MaintenanceStatus) => void;
}

/** Tells every receiver of a change of the state: log, diagnostics channel, instance report and observers. */
export class StatusPublisher {
  readonly #history = new HistoryCursor();
  #lastShown: string | undefined;

  constructor(private readonly options: StatusPublisherOptions) {}

  /**
   * Publishes a status, if it differs from the last one or the history has new entries.
   *
   * @param status - the status now
   * @param state - the state that the status was computed from
   */
  publish(status: MaintenanceStatus, state: MaintenanceState | null): void {
    const { log, scopeWarning, onChange, onRevision, onStatus } = this.options;
    const changes = this.#history.takeNew(state);
    const hasChanged = this.#recordStatus(status, state);
    // `on --wait` waits for the revision, so the instance reports it even if nothing visible has changed.
    if (!hasChanged && changes.length === 0) return onRevision();
    log.logChange(status, state, changes);
    scopeWarning.warn(status);
    onChange({ status, changes });
    onRevision();
    onStatus(status);
  }

  // The renewal of a lease makes a revision, but changes nothing that anyone can see.
  #recordStatus({ active, source, windows, storage }: MaintenanceStatus, state: MaintenanceState | null): boolean {
    const { healthy, error } = storage;
    const stored = state?.windows.map(({ leaseUntil: _, ...window }) => window);
    const shown = JSON.stringify([active, source, windows, healthy, error, state?.lineage, stored]);
    const hasChanged = shown !== this.#lastShown;
    this.#lastShown = shown;
    return hasChanged;
  }
}
