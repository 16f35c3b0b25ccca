import type { MaintenanceState } from 'nestjs-maintenance';
import { Instance } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

const INSTANCES = 6;
const TOGGLES = Number(process.env.FLEET_TOGGLES || 60);
/** Number of concurrent changes; the history must have room for all of them. */
const BATCH_SIZE = 20;
/** Time within which all instances agree if the storage notifies of changes. */
const MAX_DELAY_MS = 100;
const REFRESH_INTERVAL_MS = 500;

/** Result of one change. Times in milliseconds since the epoch. */
interface Toggle {
  name: string;
  turns: 'on' | 'off';
  by: Instance;
  isDone: boolean;
  from: number;
  to: number;
  revision: number;
}

describeOnEachBackend(`concurrent changes by ${INSTANCES} instances`, ({ notifies, open }) => {
  let backend: Backend;
  let fleet: Instance[] = [];

  beforeAll(async () => {
    backend = await open();
    // If the storage notifies of changes, instances must not depend on polling during the test.
    const refreshInterval = notifies ? 600_000 : REFRESH_INTERVAL_MS;
    fleet = await Instance.fleet(INSTANCES, { options: { storage: backend.url, refreshInterval }, env: backend.env });
  }, 60_000);

  afterAll(async () => {
    await Promise.all(fleet.map((instance) => instance.stop()));
    await backend.close();
  });

  it(
    `are each stored once or rejected, and applied by all instances in time (${TOGGLES} changes)`,
    async () => {
      const late: number[] = [];
      let done = 0;
      let known = 0;
      for (let from = 0; from < TOGGLES; from += BATCH_SIZE) {
        await Promise.all(fleet.map((instance) => instance.ask('stall')));
        const size = Math.min(BATCH_SIZE, TOGGLES - from);
        const toggles = await Promise.all(Array.from({ length: size }, (_, index) => toggle(from + index)));
        const state = (await fleet[0]!.ask('stored'))!;
        expectEachOnce(toggles, state, known);
        known = state.revision;
        done += toggles.filter(({ isDone }) => isDone).length;
        late.push(await measureLateness(toggles, state));
      }
      // A change is rejected after 10 s of conflicts, which is common with a slow S3 on a busy machine.
      expect(done).toBeGreaterThan(TOGGLES * (notifies ? 0.9 : 0.5));
      late.sort((a, b) => a - b);
      expect(late[Math.floor(late.length / 2)]).toBeLessThanOrEqual(0);

      const statuses = await Promise.all(fleet.map((instance) => instance.ask('status')));
      for (const { revision, windows, active } of statuses) {
        expect({ revision, windows, active }).toEqual({
          revision: known,
          windows: statuses[0]!.windows,
          active: statuses[0]!.active,
        });
      }
      const answers = await Promise.all(fleet.map((instance) => instance.get('/')));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([statuses[0]!.active ? 503 : 200]));
    },
    60_000 + TOGGLES * 1_000,
  );

  async function toggle(index: number): Promise<Toggle> {
    const by = fleet[Math.floor(Math.random() * INSTANCES)]!;
    const turns = Math.random() < 0.6 ? 'on' : 'off';
    const name = `operator-${index}`;
    const from = Date.now();
    const { status, body } = await by.turn(turns, name, turns === 'on' ? { message: name } : {});
    expect([200, 502]).toContain(status);
    return {
      name,
      turns,
      by,
      isDone: status === 200,
      from,
      to: Date.now(),
      revision: status === 200 ? body.revision : 0,
    };
  }

  /**
   * Returns by how many milliseconds the slowest instance exceeded the allowed delay, without the time for which the
   * machine did not run the process.
   */
  async function measureLateness(toggles: Toggle[], { revision }: MaintenanceState): Promise<number> {
    const confirmed = Math.max(...toggles.map(({ by, revision }) => (revision > 0 ? by.appliedAt(revision)! : 0)));
    const deadline = Date.now() + 10_000;
    while (fleet.some((instance) => instance.appliedAt(revision) === undefined)) {
      if (Date.now() > deadline) throw new Error(`revision ${revision} did not reach all instances within 10 s`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const stalls = await Promise.all(fleet.map((instance) => instance.ask('stall')));
    const roundTrips = notifies ? [0] : await Promise.all(fleet.map((instance) => instance.ask('roundTrip')));
    const bound = notifies ? MAX_DELAY_MS : REFRESH_INTERVAL_MS + Math.max(...roundTrips);
    const slowest = Math.max(...fleet.map((instance) => instance.appliedAt(revision)!));
    return slowest - confirmed - bound - Math.max(...stalls);
  }
});

/** Asserts that the history has one entry per confirmed change, none of a rejected one, and no gaps. */
function expectEachOnce(toggles: Toggle[], { history, revision }: MaintenanceState, known: number): void {
  const entries = history.filter((entry) => entry.revision > known).reverse();
  const expected = Array.from({ length: revision - known }, (_, index) => known + 1 + index);
  expect(entries.map((entry) => entry.revision)).toEqual(expected);
  for (const { name, turns, isDone, from, to } of toggles) {
    const made = history.filter(({ by }) => by === name);
    if (!isDone) expect(made).toEqual([]);
    else if (turns === 'on') expect(made).toHaveLength(1);
    else if (made.length === 0) expect(wasOff(history, from, to)).toBe(true);
    else expect(made).toHaveLength(1);
  }
}

/** Whether maintenance was off at some moment in between, so that `off` changed nothing. */
function wasOff(history: MaintenanceState['history'], from: number, to: number): boolean {
  const newestFirst = history.map(({ action, at }) => ({ isOff: action === 'off', at: Date.parse(at) }));
  const before = newestFirst.find(({ at }) => at <= from);
  return (before?.isOff ?? true) || newestFirst.some(({ isOff, at }) => isOff && at >= from && at <= to);
}
