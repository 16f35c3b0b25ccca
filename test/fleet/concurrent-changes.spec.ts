import type { MaintenanceState } from 'nestjs-maintenance';
import { Instance } from './instance.js';
import { describeOnEachBackend, type Backend } from './storage-backends.js';

const INSTANCES = 6;
const TOGGLES = Number(process.env.FLEET_TOGGLES || 60);
/** As many as are under way together; the history must hold them all. */
const BATCH = 20;
/** Milliseconds after which all agree where the storage notifies. */
const BOUND = 100;
const REFRESH_INTERVAL = 500;

/** What came of one use of the switch. Times in milliseconds since the epoch. */
interface Toggle {
  name: string;
  turns: 'on' | 'off';
  by: Instance;
  isDone: boolean;
  from: number;
  to: number;
  revision: number;
}

describeOnEachBackend(`${INSTANCES} instances on one storage`, ({ notifies, open }) => {
  let backend: Backend;
  let fleet: Instance[] = [];

  beforeAll(async () => {
    backend = await open();
    // Where the storage notifies, no poll may help within the time of a test.
    const refreshInterval = notifies ? 600_000 : REFRESH_INTERVAL;
    fleet = await Instance.fleet(INSTANCES, { options: { storage: backend.url, refreshInterval }, env: backend.env });
  }, 60_000);

  afterAll(async () => {
    await Promise.all(fleet.map((instance) => instance.stop()));
    await backend.close();
  });

  it(
    `keep each of ${TOGGLES} changes once or refuse it, and agree in time after the last`,
    async () => {
      const late: number[] = [];
      let done = 0;
      let known = 0;
      for (let from = 0; from < TOGGLES; from += BATCH) {
        await Promise.all(fleet.map((instance) => instance.ask('stall')));
        const size = Math.min(BATCH, TOGGLES - from);
        const toggles = await Promise.all(Array.from({ length: size }, (_, index) => toggle(from + index)));
        const state = (await fleet[0]!.ask('stored'))!;
        expectEachOnce(toggles, state, known);
        known = state.revision;
        done += toggles.filter(({ isDone }) => isDone).length;
        late.push(await latenessAfter(toggles, state));
      }
      // Whoever is refused has lost against others for ten seconds on end, which a slow S3 on a busy machine makes of many.
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
   * By how many milliseconds the slowest instance was later than it may be. The time for which the machine kept a process
   * from running is not the storage's.
   */
  async function latenessAfter(toggles: Toggle[], { revision }: MaintenanceState): Promise<number> {
    const confirmed = Math.max(...toggles.map(({ by, revision }) => (revision > 0 ? by.appliedAt(revision)! : 0)));
    const deadline = Date.now() + 10_000;
    while (fleet.some((instance) => instance.appliedAt(revision) === undefined)) {
      if (Date.now() > deadline) throw new Error(`revision ${revision} did not come to all instances in 10 s`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const stalls = await Promise.all(fleet.map((instance) => instance.ask('stall')));
    const roundTrips = notifies ? [0] : await Promise.all(fleet.map((instance) => instance.ask('roundTrip')));
    const bound = notifies ? BOUND : REFRESH_INTERVAL + Math.max(...roundTrips);
    const slowest = Math.max(...fleet.map((instance) => instance.appliedAt(revision)!));
    return slowest - confirmed - bound - Math.max(...stalls);
  }
});

/** Every change that was confirmed made one entry, none that was refused did, and no revision is missing. */
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

/** Whether nothing was on at some moment in between, so that there was nothing to end. */
function wasOff(history: MaintenanceState['history'], from: number, to: number): boolean {
  const newestFirst = history.map(({ action, at }) => ({ isOff: action === 'off', at: Date.parse(at) }));
  const before = newestFirst.find(({ at }) => at <= from);
  return (before?.isOff ?? true) || newestFirst.some(({ isOff, at }) => isOff && at >= from && at <= to);
}
