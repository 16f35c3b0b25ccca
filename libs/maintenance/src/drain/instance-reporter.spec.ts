import { setImmediate as turn } from 'node:timers/promises';
import { InFlightTracker } from './in-flight-tracker.js';
import type { InstanceReport } from '../core/instance-report.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import type { MonitorSnapshot, StateMonitor } from '../core/state-monitor.js';
import type { StateStorage } from '../storage/state-storage.js';
import { ManualClock } from '../testing/manual-clock.js';
import { createIdentity } from './instance-identity.js';
import { InstanceReporter } from './instance-reporter.js';

const NOTHING = { forced: null, active: [] } as unknown as MonitorSnapshot;

it.each(Array.from({ length: 20 }, (_, ticks) => ticks))(
  'reports a change made %i microtasks after a report was written',
  async (ticks) => {
    const clock = new ManualClock('2027-01-01T00:00:00Z');
    const state = { lineage: 'one', revision: 1 } as MaintenanceState;
    const monitor = { state, getSnapshot: () => NOTHING, health: {} } as unknown as StateMonitor;
    const reported: number[] = [];
    const change = async (): Promise<void> => {
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      state.revision = 2;
      reporter.onStateChange();
    };
    const report = async ({ revision }: InstanceReport): Promise<void> => {
      await turn();
      reported.push(revision);
      if (reported.length === 1) void change();
    };
    const storage = { report } as unknown as StateStorage;
    const reporter = new InstanceReporter({ identity: createIdentity(), storage, clock, onFailure: () => undefined });
    reporter.start(monitor, new InFlightTracker(clock, () => NOTHING));
    for (let turns = 0; turns < 10; turns++) await turn();
    expect(reported.at(-1)).toBe(2);
  },
);

it('reports within 500 ms work that finished while a report was written', async () => {
  const clock = new ManualClock('2027-01-01T00:00:00Z');
  let snapshot = NOTHING;
  const monitor = { getSnapshot: () => snapshot, health: {} } as unknown as StateMonitor;
  const inFlight = new InFlightTracker(clock, () => snapshot);
  const work = { name: 'GET /orders', isStream: false, becameRefusedSince: () => true };
  const [first] = [inFlight.begin(work), inFlight.begin(work)];
  const reported: number[] = [];
  const report = async (sent: InstanceReport): Promise<void> => {
    await turn();
    if (sent.inFlight === 2) inFlight.end(first);
    await turn();
    reported.push(sent.inFlight);
  };
  const storage = { report } as unknown as StateStorage;
  const reporter = new InstanceReporter({ identity: createIdentity(), storage, clock, onFailure: () => undefined });
  reporter.start(monitor, inFlight);
  for (let turns = 0; turns < 10; turns++) await turn();
  snapshot = { forced: true, active: [] } as unknown as MonitorSnapshot;
  reporter.onStateChange();
  for (let turns = 0; turns < 10; turns++) await turn();
  expect(reported).toEqual([0, 2]);
  await clock.moveTo(clock.now() + 500);
  for (let turns = 0; turns < 10; turns++) await turn();
  expect(reported).toEqual([0, 2, 1]);
});
