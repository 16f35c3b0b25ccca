import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import type { HistoryEntry, MaintenanceState } from './maintenance-state.js';

/** Thrown where the stored state is not the one that the caller has seen: `ifRevision` names another revision. */
export class RevisionConflictError extends MaintenanceStorageError {
  /** The revision of the stored state; 0 where none is stored. */
  readonly revision: number;
  /** The changes since the revision that the caller has seen, newest first. */
  readonly changes: HistoryEntry[];

  constructor(state: MaintenanceState | null, seen: number, location: string) {
    const revision = state?.revision ?? 0;
    const changes = (state?.history ?? []).filter((entry) => entry.revision > seen);
    super(
      'conflict',
      `${location}: the state has revision ${revision}, not ${seen}${describeLast(changes)}. Nothing was changed. ` +
        'Read the status, and decide again.',
    );
    this.revision = revision;
    this.changes = changes;
  }
}

/**
 * Whether `revision` is that of the state, or of one that differs only by renewed leases: those change nothing that a
 * caller would see, and come every few seconds while a program works in its window.
 */
export function isCurrentRevision(state: MaintenanceState | null, revision: number): boolean {
  const stored = state?.revision ?? 0;
  const lastChange = Math.min(state?.history[0]?.revision ?? stored, stored);
  return revision >= lastChange && revision <= stored;
}

function describeLast([last]: HistoryEntry[]): string {
  if (!last) return '';
  return `, by the change "${last.action}"${last.by === undefined ? '' : ` of ${last.by}`} at ${last.at}`;
}
