import { SystemClock } from './clock.js';
import { StateMonitor } from '../core/state-monitor.js';

const DAY = 86_400_000;
const START = Date.parse('2026-12-01T00:00Z');

describe('window beyond the longest timer delay', () => {
  beforeEach(() => jest.useFakeTimers({ now: START }));
  afterEach(() => jest.useRealTimers());

  it('is announced exactly at its start and its end', async () => {
    const startsAt = new Date(START + 60 * DAY).toISOString();
    const endsAt = new Date(START + 120 * DAY).toISOString();
    const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt, endsAt, createdAt: startsAt };
    const state = { format: 1 as const, lineage: 'spec', revision: 1, windows: [window], history: [] };
    const seen: [number, number][] = [];
    const monitor: StateMonitor = new StateMonitor({
      source: { read: () => Promise.resolve({ state, version: '1' }) },
      clock: new SystemClock(),
      // Polling must not announce the window instead.
      refreshInterval: 1_000 * DAY,
      onStorageFailure: 'last-known',
      onChange: () => seen.push([(Date.now() - START) / DAY, monitor.getSnapshot().active.length]),
    });
    await monitor.start();
    await jest.advanceTimersByTimeAsync(200 * DAY);
    expect(seen).toEqual([
      [0, 0],
      [60, 1],
      [120, 0],
    ]);
    await monitor.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
