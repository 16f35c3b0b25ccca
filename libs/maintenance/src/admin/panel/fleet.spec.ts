import type { InstanceReport } from '../../core/instance-report.js';
import { countStates } from './client/fleet.js';
import type { PanelState } from './panel-state.js';

const NOW = '2026-12-01T02:00:00.000Z';

function createState(revision: number, applied: number[]): PanelState {
  const instances = applied.map((one, index) => ({
    ...{ id: `a${index}`, host: 'shop', pid: index, lineage: 'l1', revision: one, inFlight: 0, streams: 0 },
    seenAt: NOW,
  })) satisfies InstanceReport[];
  const history = [{ revision: 4, at: NOW, action: 'on', windows: [] }];
  return { now: NOW, status: { revision }, history, fleet: { instances, drain: null } } as unknown as PanelState;
}

describe('countStates', () => {
  it('counts no instance as behind that has not read the renewal of a lease', () => {
    expect(countStates(createState(6, [6, 4]))).toBe('All 2 instances apply this state.');
    expect(countStates(createState(5, [4]))).toBe('The only instance applies this state.');
  });

  it('counts an instance as behind that has not read the last change', () => {
    expect(countStates(createState(6, [6, 3]))).toBe('1 of 2 instances apply this state so far.');
  });

  it('says of the only instance what its report shows, and no more', () => {
    expect(countStates(createState(6, [3]))).toBe(
      'The only instance does not apply this state: it applies revision 3 so far.',
    );
    const later = { ...createState(6, [6]), now: '2026-12-01T02:05:00.000Z' };
    expect(countStates(later)).toMatch(/^The only instance may not apply this state: no report for 5 min/);
  });
});
