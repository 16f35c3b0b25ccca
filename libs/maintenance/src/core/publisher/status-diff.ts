import type { MaintenanceState } from '../maintenance-state.js';
import type { MaintenanceStatus } from '../maintenance-status.js';

/** Tells a status that says something new from one after a lease was renewed, which makes a revision and shows in nothing else. */
export class StatusDiff {
  #last: string | undefined;

  hasChanged({ active, source, windows, storage }: MaintenanceStatus, state: MaintenanceState | null): boolean {
    const { healthy, error } = storage;
    const stored = state?.windows.map(({ leaseUntil: _, ...window }) => window);
    const shown = JSON.stringify([active, source, windows, healthy, error, state?.lineage, stored]);
    const isNews = shown !== this.#last;
    this.#last = shown;
    return isNews;
  }
}
