import type { HistoryEntry, MaintenanceState } from '../state/maintenance-state.js';

/** Tells each entry of the history once: a state is looked at again whenever one of its windows starts or ends. */
export class HistoryNews {
  #seen = '';

  /** Who has made the revision of the state, if that was not told before. */
  of(state: MaintenanceState | null): HistoryEntry | undefined {
    const mark = `${state?.lineage} ${state?.revision}`;
    if (mark === this.#seen) return undefined;
    this.#seen = mark;
    return state?.history.find(({ revision }) => revision === state.revision);
  }
}
