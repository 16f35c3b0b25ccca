import { Logger } from '@nestjs/common';
import type { HistoryEntry } from '../state/maintenance-state.js';
import type { MaintenanceStatus } from '../state/maintenance-status.js';
import { EVERYTHING, type MaintenanceWindow } from '../state/maintenance-window.js';
import { reasonOf } from '../state/reason-of.js';
import type { StorageFailurePolicy } from '../state/state-monitor.js';

/** One line in the log for each change of the state or of the storage's health. */
export class StateLog {
  readonly #logger = new Logger('Maintenance');
  #last = 'off';

  constructor(private readonly location: string) {}

  /** @param change - who has made the revision, if that is news */
  changed(status: MaintenanceStatus, change?: HistoryEntry): void {
    const summary = summaryOf(status);
    if (summary === this.#last && !change) return;
    this.#last = summary;
    const by = change ? ` by ${visible(change.by ?? 'somebody')}${change.via ? ` via ${change.via}` : ''}` : '';
    this.#logger.log(`Maintenance is ${summary} (revision ${status.revision}${by}, ${this.location}).`);
  }

  healthChanged(error: Error | null, policy: StorageFailurePolicy): void {
    if (error === null) return this.#logger.log(`The storage ${this.location} works again.`);
    const consequence = policy === 'last-known' ? 'the last known state counts' : `maintenance is ${policy}`;
    this.#logger.error(`The storage ${this.location} fails, so ${consequence} (onStorageFailure): ${reasonOf(error)}`);
  }
}

function summaryOf({ active, source, windows }: MaintenanceStatus): string {
  const planned = windows.planned.length > 0 ? `; planned: ${windows.planned.map(describe).join(', ')}` : '';
  if (!active) return `off${planned}`;
  if (windows.active.length === 0) return `on by ${source}${planned}`;
  return `on: ${windows.active.map(describe).join(', ')}${planned}`;
}

function describe({ scope, mode, startsAt, endsAt, createdBy }: MaintenanceWindow): string {
  const part = scope === EVERYTHING ? 'everything' : visible(scope);
  const by = createdBy === undefined ? '' : ` by ${visible(createdBy)}`;
  return `${part}, ${mode}, from ${startsAt} ${endsAt === null ? 'until turned off' : `to ${endsAt}`}${by}`;
}

// Names come from wherever users come from: a line of the log stays one line.
function visible(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what must not get there
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}
