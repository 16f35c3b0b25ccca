import type { HistoryEntry, MaintenanceState } from '../core/maintenance-state.js';
import { descendsFrom } from './descends-from.js';

function createEntry(revision: number): HistoryEntry {
  return { revision, at: '2030-12-01T00:00:00.000Z', action: 'on', windows: [] };
}

function createState(revision: number, history: HistoryEntry[], lineage = 'spec'): MaintenanceState {
  return { format: 1, lineage, revision, windows: [], history };
}

describe('descendsFrom', () => {
  const next = createState(2, [createEntry(2), createEntry(1)]);

  it('recognises a later state by the history entry of the write', () => {
    expect(descendsFrom(createState(3, [createEntry(3), createEntry(2), createEntry(1)]), next)).toBe(true);
  });

  it('rejects a later state that another writer made from the previous one', () => {
    const other = { ...createEntry(2), by: 'other@host' };
    expect(descendsFrom(createState(3, [createEntry(3), other, createEntry(1)]), next)).toBe(false);
  });

  it('rejects another lineage and an earlier revision', () => {
    expect(descendsFrom(createState(3, next.history, 'other'), next)).toBe(false);
    expect(descendsFrom(createState(2, next.history), next)).toBe(false);
  });

  it('rejects every state after the renewal of a lease, which adds no history entry', () => {
    const renewal = createState(3, [createEntry(2), createEntry(1)]);
    expect(descendsFrom(createState(4, [createEntry(4), createEntry(2), createEntry(1)]), renewal)).toBe(false);
    expect(descendsFrom(createState(1, []), createState(0, []))).toBe(false);
  });
});
