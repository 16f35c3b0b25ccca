import type { HistoryEntry, MaintenanceState } from '../maintenance-state.js';

/** Returns each entry of the history once, although one state is read many times. */
export class HistoryCursor {
  #last: { lineage: string | undefined; revision: number } | null = null;

  /** Returns the entries since the last call, oldest first. The first call returns none: its entries are old. */
  takeNew(state: MaintenanceState | null): HistoryEntry[] {
    const last = this.#last;
    this.#last = { lineage: state?.lineage, revision: state?.revision ?? 0 };
    if (last === null || !state) return [];
    const known = findLastKnownRevision(last, state);
    return state.history.filter(({ revision }) => revision > known && revision <= state.revision).reverse();
  }
}

function findLastKnownRevision(
  last: { lineage: string | undefined; revision: number },
  { lineage, revision }: MaintenanceState,
): number {
  if (last.lineage === lineage) return last.revision;
  // The storage was empty, or failed: only the very first write is new then.
  if (last.lineage === undefined) return revision === 1 ? 0 : revision;
  // Another lineage has a history of its own. Its last entry is the change that replaced the state.
  return revision - 1;
}
