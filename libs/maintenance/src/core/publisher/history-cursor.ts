import type { HistoryEntry, MaintenanceState } from '../maintenance-state.js';

/** Tells each entry of the history once: a state is looked at again whenever one of its windows starts or ends. */
export class HistoryCursor {
  #seen: { lineage: string | undefined; revision: number } | null = null;

  /** What was changed since the last look, oldest first. What was there at the first look is no news. */
  takeNew(state: MaintenanceState | null): HistoryEntry[] {
    const last = this.#seen;
    this.#seen = { lineage: state?.lineage, revision: state?.revision ?? 0 };
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
  // Nothing was known, because nothing was there or the storage failed: only a first write is news then.
  if (last.lineage === undefined) return revision === 1 ? 0 : revision;
  // Another lineage has a history of its own, of which the last change has put it in place.
  return revision - 1;
}
