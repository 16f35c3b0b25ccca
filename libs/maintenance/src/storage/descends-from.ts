import type { MaintenanceState } from '../core/maintenance-state.js';

/**
 * Whether `state` was made from `next` by later writes: its history then contains the entry that `next` added. Tells a
 * storage that a write without a response has taken effect.
 */
export function descendsFrom(state: MaintenanceState, next: MaintenanceState): boolean {
  const [entry] = next.history;
  // A renewed lease adds no entry: the newest one is then older, and in the history of every later state.
  if (entry?.revision !== next.revision) return false;
  if (state.lineage !== next.lineage || state.revision <= next.revision) return false;
  const text = JSON.stringify(entry);
  return state.history.some((other) => JSON.stringify(other) === text);
}
