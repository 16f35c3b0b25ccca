import type { HistoryEntry, MaintenanceState } from '../state/maintenance-state.js';

/** Tells each entry of the history once: a state is looked at again whenever one of its windows starts or ends. */
export class HistoryNews {
  #seen: { lineage: string | undefined; revision: number } | null = null;

  /** What was changed since the last look, oldest first. What was there at the first look is no news. */
  of(state: MaintenanceState | null): HistoryEntry[] {
    const last = this.#seen;
    this.#seen = { lineage: state?.lineage, revision: state?.revision ?? 0 };
    if (last === null || !state) return [];
    const known = last.lineage === state.lineage ? last.revision : 0;
    return state.history.filter(({ revision }) => revision > known && revision <= state.revision).reverse();
  }
}
