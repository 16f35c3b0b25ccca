import { ManualClock } from '../testing/manual-clock.js';
import type { MaintenanceState } from './maintenance-state.js';
import { READ_TIMEOUT_MS, StateMonitor, type StateMonitorOptions } from './state-monitor.js';

const START = '2026-12-01T00:00:00.000Z';
const INTERVAL = 5_000;

/** A source controlled by the test. */
class Source {
  state: MaintenanceState | null = null;
  error: Error | null = null;
  hangs = false;
  reads = 0;

  async read(): Promise<{ state: MaintenanceState; version: string } | null> {
    this.reads++;
    if (this.hangs) return new Promise(() => undefined);
    if (this.error) throw this.error;
    return Promise.resolve(this.state && { state: this.state, version: String(this.state.revision) });
  }
}

function on(revision: number, lineage = 'line', endsAt: string | null = null): MaintenanceState {
  const window = { id: 'a', scope: '*', mode: 'full' as const, startsAt: START, endsAt, createdAt: START };
  return { format: 1, lineage, revision, windows: [window], history: [] };
}
const off = (revision: number, lineage = 'line'): MaintenanceState => ({ ...on(revision, lineage), windows: [] });

let source: Source;
let clock: ManualClock;
let monitor: StateMonitor;
let changes: number;
let health: (string | null)[];

function create(options: Partial<StateMonitorOptions> = {}): StateMonitor {
  changes = 0;
  health = [];
  return (monitor = new StateMonitor({
    source,
    clock,
    refreshInterval: INTERVAL,
    onStorageFailure: 'last-known',
    onChange: () => void changes++,
    onHealthChange: (error) => void health.push(error && error.message),
    ...options,
  }));
}
const isOn = (): boolean => monitor.getSnapshot().forced ?? monitor.getSnapshot().active.length > 0;
const later = (ms: number): Promise<void> => clock.moveTo(clock.now() + ms);

beforeEach(() => {
  source = new Source();
  clock = new ManualClock(START);
});
afterEach(async () => {
  await monitor.stop();
  expect(clock.pending).toBe(0);
});

it('reads at the start and then at least once per interval', async () => {
  source.state = on(1);
  await create().start();
  expect(isOn()).toBe(true);
  for (let round = 1; round <= 20; round++) {
    source.state = round % 2 ? off(round + 1) : on(round + 1);
    await later(INTERVAL);
    expect(isOn()).toBe(round % 2 === 0);
  }
  expect(source.reads).toBeLessThanOrEqual(26);
});

it('reads more often while a window has a lease, so that it sees renewals in time', async () => {
  const createLease = (revision: number, seconds: number): MaintenanceState => {
    const leaseUntil = new Date(Date.parse(START) + seconds * 1000).toISOString();
    return { ...on(revision), windows: on(revision).windows.map((window) => ({ ...window, leaseUntil })) };
  };
  source.state = createLease(1, 60);
  await create({ refreshInterval: 600_000 }).start();
  for (let renewal = 1; renewal <= 10; renewal++) {
    source.state = createLease(renewal + 1, renewal * 20 + 60);
    source.error = renewal % 3 ? null : new Error('away for a while');
    await later(20_000);
    expect(isOn()).toBe(true);
  }
  source.error = null;
  source.state = off(12);
  await later(10_000);
  expect(isOn()).toBe(false);
  const { reads } = source;
  await later(400_000);
  expect(source.reads).toBe(reads);
});

it('ignores older revisions of its lineage and applies any revision of another', async () => {
  source.state = on(5);
  await create().start();
  source.state = off(4);
  await monitor.refresh();
  expect(isOn()).toBe(true);
  source.state = off(1, 'other');
  await monitor.refresh();
  expect(isOn()).toBe(false);
  source.state = on(5);
  await monitor.refresh();
  expect(isOn()).toBe(true);
  source.state = null;
  await monitor.refresh();
  expect(isOn()).toBe(false);
});

it('applies an older revision that persists, such as a restored backup', async () => {
  source.state = on(5);
  await create().start();
  source.state = off(2);
  await later(50_000);
  expect(isOn()).toBe(true);
  await later(20_000);
  expect(isOn()).toBe(false);
});

it('ignores a stale read that would undo a write', async () => {
  let answer: (state: MaintenanceState | null) => void = () => undefined;
  const answers: (MaintenanceState | null)[] = [];
  await create().start();
  await monitor.stop();
  create({
    source: {
      read: async () => {
        const state =
          answers.length > 0 ? answers.shift()! : await new Promise<MaintenanceState | null>((done) => (answer = done));
        return state && { state, version: '' };
      },
    },
  });
  const started = monitor.start();
  await later(0);
  monitor.adopt(on(1));
  answers.push(on(1));
  answer(null);
  await started;
  expect(isOn()).toBe(true);
});

it('applies its own write regardless of the known state', async () => {
  source.state = on(5);
  await create().start();
  monitor.adopt(off(3));
  expect(isOn()).toBe(false);
});

it('shares reads between callers, each of which began after the call', async () => {
  await create().start();
  const before = source.reads;
  const first = monitor.refresh();
  source.state = on(1);
  await Promise.all([first, ...Array.from({ length: 50 }, () => monitor.refresh())]);
  expect(source.reads - before).toBe(2);
  expect(isOn()).toBe(true);
});

it('announces each change once and each boundary on time', async () => {
  await create().start();
  changes = 0;
  source.state = on(1, 'line', '2026-12-01T00:01:00.000Z');
  await monitor.refresh();
  await monitor.refresh();
  expect(changes).toBe(1);
  await clock.moveTo('2026-12-01T00:00:59.999Z');
  expect([isOn(), changes]).toEqual([true, 1]);
  await clock.moveTo('2026-12-01T00:01:00.000Z');
  expect([isOn(), changes]).toEqual([false, 2]);
});

it('detects a manual edit that kept the revision', async () => {
  source.state = on(1);
  await create().start();
  source.state = off(1);
  await monitor.refresh();
  expect(isOn()).toBe(false);
});

describe.each([
  ['last-known', true, false],
  ['on', true, true],
  ['off', false, false],
] as const)('StateMonitor with onStorageFailure %s', (onStorageFailure, afterOn, atFirst) => {
  it('applies the policy while the source fails', async () => {
    source.error = new Error('gone');
    await create({ onStorageFailure }).start();
    expect(isOn()).toBe(atFirst);
    expect(monitor.getSnapshot().source).toBe('fallback');
    expect(monitor.health).toEqual({ healthy: false, lastReadAt: null, error: 'gone' });

    source.error = null;
    source.state = on(1);
    await later(INTERVAL);
    expect([isOn(), monitor.getSnapshot().source]).toEqual([true, 'storage']);
    source.error = new Error('gone again');
    await later(INTERVAL);
    expect([isOn(), monitor.getSnapshot().source]).toEqual([
      afterOn,
      onStorageFailure === 'last-known' ? 'last-known' : 'fallback',
    ]);
    expect(health).toEqual(['gone', null, 'gone again']);
  });
});

it('ends the last known window on time while the source fails', async () => {
  source.state = on(1, 'line', '2026-12-01T00:01:00.000Z');
  await create().start();
  source.error = new Error('gone');
  await clock.moveTo('2026-12-01T00:01:00.000Z');
  expect([isOn(), monitor.getSnapshot().source]).toEqual([false, 'last-known']);
});

it('reads a failing source with a backoff of at most 30 s', async () => {
  source.error = new Error('gone');
  await create().start();
  const reads = source.reads;
  await later(10 * 60_000);
  expect(source.reads - reads).toBeLessThan(30);
  expect(source.reads - reads).toBeGreaterThan(18);
  source.error = null;
  source.state = on(1);
  await later(30_000);
  expect(isOn()).toBe(true);
  expect(health).toEqual(['gone', null]);
});

it('does not wait for a hanging source', async () => {
  source.hangs = true;
  const started = create().start();
  await later(0);
  await later(READ_TIMEOUT_MS);
  await started;
  expect(monitor.health.error).toMatch(/no answer within 5 s/);
  source.hangs = false;
  source.state = on(1);
  await later(INTERVAL);
  expect(isOn()).toBe(true);
});

it('reports a failure before applying the policy, and nothing after it is stopped', async () => {
  source.error = new Error('gone');
  create();
  await monitor.refresh();
  expect(monitor.health).toMatchObject({ healthy: false, error: 'gone' });
  await monitor.stop();
  source.error = new Error('closed');
  await monitor.refresh();
  expect(monitor.health).toMatchObject({ error: 'gone' });
});

it('follows the configuration if it forces the mode', async () => {
  source.state = on(1);
  await create({ enabled: false }).start();
  expect([isOn(), monitor.getSnapshot().source]).toEqual([false, 'configuration']);
});

it('reads on each notification, but not after it is stopped', async () => {
  let notify: () => void = () => undefined;
  let isWatched = true;
  const watch = (changed: () => void): Promise<() => Promise<void>> => {
    notify = changed;
    return Promise.resolve(() => Promise.resolve(void (isWatched = false)));
  };
  await create({ source: { read: () => source.read(), watch } }).start();
  source.state = on(1);
  notify();
  await later(0);
  expect(isOn()).toBe(true);
  await monitor.stop();
  expect(isWatched).toBe(false);
  const reads = source.reads;
  await later(INTERVAL * 10);
  expect(source.reads).toBe(reads);
});

describe('StateMonitor after the process was suspended', () => {
  /** A clock that can jump without calling timers, as after a process was suspended. */
  class JumpingClock extends ManualClock {
    jumped = 0;
    override now(): number {
      return super.now() + this.jumped;
    }
  }
  let jumping: JumpingClock;

  beforeEach(() => {
    clock = jumping = new JumpingClock(START);
  });

  it('reads once for all waiting callers and is fresh afterwards', async () => {
    source.state = off(1);
    await create().start();
    expect(monitor.isFresh).toBe(true);
    jumping.jumped = 60_000;
    source.state = on(2);
    const reads = source.reads;
    expect(monitor.isFresh).toBe(false);
    await Promise.all([monitor.catchUp(), monitor.catchUp(), monitor.catchUp()]);
    expect(monitor.isFresh).toBe(true);
    expect(isOn()).toBe(true);
    expect(source.reads).toBe(reads + 1);
  });

  it.each([
    ['on', true],
    ['off', false],
    ['last-known', false],
  ] as const)(
    'applies onStorageFailure %s after 1 s without an answer and does not wait again',
    async (mode, expected) => {
      source.state = off(1);
      await create({ onStorageFailure: mode }).start();
      jumping.jumped = 60_000;
      source.hangs = true;
      const waiting = monitor.catchUp();
      await clock.moveTo(Date.parse(START) + 999);
      expect(monitor.isFresh).toBe(false);
      await clock.moveTo(Date.parse(START) + 1_000);
      await waiting;
      expect(isOn()).toBe(expected);
      expect(monitor.isFresh).toBe(true);
      expect(health).toEqual(['no answer within 1 s']);
      source.hangs = false;
      await later(2 * READ_TIMEOUT_MS);
      expect(monitor.health.healthy).toBe(true);
    },
  );

  it('reads again if its connection was lost', async () => {
    source.state = off(1);
    await create().start();
    jumping.jumped = 60_000;
    const read = source.read.bind(source);
    source.read = async () => {
      source.read = read;
      throw new Error('connection reset');
    };
    source.state = on(2);
    await monitor.catchUp();
    expect(isOn()).toBe(true);
    expect(health).toEqual([]);
  });

  it('reads again after the answer of a read from before the suspension', async () => {
    source.state = off(1);
    await create().start();
    const read = source.read.bind(source);
    let answerLate = (): void => undefined;
    source.read = async () => {
      source.read = read;
      const old = await read();
      await new Promise<void>((resolve) => (answerLate = resolve));
      return old;
    };
    const before = monitor.refresh();
    await later(0);
    source.state = on(2);
    jumping.jumped = 60_000;
    answerLate();
    await before;
    expect(monitor.isFresh).toBe(false);
    await monitor.catchUp();
    expect(isOn()).toBe(true);
  });

  it.each<[string, Partial<StateMonitorOptions>, () => void]>([
    ['reads take long', {}, () => (source.hangs = true)],
    ['the source fails', {}, () => (source.error = new Error('down'))],
    ['the configuration forces the mode', { enabled: false }, () => (jumping.jumped = 60_000)],
  ])('does not delay decisions if %s', async (_what, options, happen) => {
    source.state = off(1);
    await create(options).start();
    happen();
    for (let second = 0; second < 60; second++) {
      await later(1_000);
      expect(monitor.isFresh).toBe(true);
    }
    source.hangs = false;
  });
});
