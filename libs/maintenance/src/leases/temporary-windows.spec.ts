import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Subject } from 'rxjs';
import { MaintenanceAbortedError } from '../errors/maintenance-aborted.error.js';
import { endWindows, openWindow } from '../core/window-changes.js';
import type { MaintenanceState } from '../core/maintenance-state.js';
import { StateMonitor } from '../core/state-monitor.js';
import type { DuringOptions } from '../core/during-options.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { StateWriter } from '../storage/state-writer.js';
import { ManualClock } from '../testing/manual-clock.js';
import { MemoryStateStorage } from '../testing/memory-state-storage.js';
import { LEASE_TIMES } from './lease-times.js';
import { TemporaryWindows } from './temporary-windows.js';

const START = Date.parse('2026-12-01T02:00Z');
const at = (seconds: number): number => START + seconds * 1000;
const iso = (seconds: number): string => new Date(at(seconds)).toISOString();
const byAnn = { by: 'ann@ops-1', via: 'cli' as const };
const down = new MaintenanceStorageError('unavailable', 'the network is down');

/** A clock that advances while its process is suspended, without calling back. */
class FreezingClock extends ManualClock {
  #missed = 0;

  override now(): number {
    return super.now() + this.#missed;
  }

  freeze(seconds: number): void {
    this.#missed += seconds * 1000;
  }
}

/** Runs the change of another instance right after the next call that the test names, or reads as the test sets it. */
class InterruptedStorage extends MemoryStateStorage {
  reads: (() => ReturnType<MemoryStateStorage['read']>) | null = null;
  after: { call: 'read' | 'write'; skip?: number; meanwhile: () => Promise<unknown> } | null = null;

  override async read(): ReturnType<MemoryStateStorage['read']> {
    const found = await (this.reads?.() ?? super.read());
    await this.#interrupt('read');
    return found;
  }

  override async write(...args: Parameters<MemoryStateStorage['write']>): Promise<string> {
    const version = await super.write(...args);
    await this.#interrupt('write');
    return version;
  }

  async #interrupt(call: 'read' | 'write'): Promise<void> {
    if (this.after?.call !== call) return;
    if (this.after.skip) return void this.after.skip--;
    const { meanwhile } = this.after;
    this.after = null;
    await meanwhile();
  }
}

interface Begun {
  result: Promise<unknown>;
  signal: AbortSignal;
  end: (value?: unknown) => void;
  fail: (error: unknown) => void;
}

let clock: FreezingClock;
let storage: InterruptedStorage;
let monitor: StateMonitor;
let changes: Subject<void>;
let shutdown: AbortController;
let owner: TemporaryWindows;
let leftOpen: unknown[][];

/** @param watches - whether the storage notifies the instance of changes of other instances */
async function ownerOn(watches = true, farewell = LEASE_TIMES.shutdownTimeoutMs): Promise<TemporaryWindows> {
  changes = new Subject();
  monitor = new StateMonitor({
    source: watches ? storage : { read: () => storage.read() },
    clock,
    refreshInterval: watches ? 5_000 : 86_400_000,
    onStorageFailure: 'last-known',
    onChange: () => changes.next(),
  });
  await monitor.start();
  shutdown = new AbortController();
  leftOpen = [];
  return new TemporaryWindows({
    storage,
    monitor,
    changes,
    clock,
    times: { ...LEASE_TIMES, shutdownTimeoutMs: farewell },
    shutdown: shutdown.signal,
    onEndFailed: (...told) => leftOpen.push(told),
    onKeepFailed: (...told) => leftOpen.push(told),
  });
}

const isDrained = (): Promise<void> => Promise.resolve();

/** Work that runs until the test ends it. */
async function begin(options: DuringOptions = {}, by = owner): Promise<Begun> {
  let begun: Omit<Begun, 'result'> | undefined;
  const result = by.during((signal) => new Promise((end, fail) => (begun = { signal, end, fail })), options, isDrained);
  result.catch(() => undefined);
  await turn();
  await turn();
  if (!begun) throw new Error('the work did not begin');
  return { result, ...begun };
}

async function stored(): Promise<MaintenanceState> {
  return (await storage.read())!.state;
}

function operator(): StateWriter {
  return new StateWriter(storage, clock);
}

function turnOff(): Promise<unknown> {
  return operator().change((windows, now) => endWindows(windows, {}, now), byAnn);
}

beforeEach(async () => {
  clock = new FreezingClock(START);
  storage = new InterruptedStorage({ now: () => clock.now() });
  owner = await ownerOn();
});
afterEach(() => monitor.stop());

describe('TemporaryWindows', () => {
  it('starts a window with a lease and ends it when the work resolves', async () => {
    const { result, end } = await begin({ scope: 'payments', message: 'Moving', createdBy: 'deployment' });
    expect((await stored()).windows).toEqual([
      {
        id: expect.any(String),
        scope: 'payments',
        mode: 'full',
        startsAt: iso(0),
        endsAt: null,
        message: 'Moving',
        createdAt: iso(0),
        createdBy: 'deployment',
        leaseUntil: iso(60),
      },
    ]);
    expect(monitor.getSnapshot().active).toHaveLength(1);
    end('moved');
    await expect(result).resolves.toBe('moved');
    expect((await stored()).windows).toEqual([]);
    expect(monitor.getSnapshot().active).toEqual([]);
    expect((await stored()).history).toMatchObject([
      { action: 'off', by: 'deployment', via: 'code' },
      { action: 'on', by: 'deployment', via: 'code' },
    ]);
  });

  it('ends the window when the work throws or rejects', async () => {
    const { result, fail } = await begin();
    fail(new Error('disk full'));
    await expect(result).rejects.toThrow('disk full');
    await expect(
      owner.during(
        () => {
          throw new Error('not even begun');
        },
        {},
        isDrained,
      ),
    ).rejects.toThrow('not even begun');
    expect((await stored()).windows).toEqual([]);
  });

  it('leaves the window on without a lease if the work fails, with `onFailure: keep`', async () => {
    const { result, fail } = await begin({ onFailure: 'keep' });
    fail(new Error('disk full'));
    await expect(result).rejects.toThrow('disk full');
    const { windows, history } = await stored();
    expect(windows).toMatchObject([{ scope: '*', endsAt: null }]);
    expect(windows[0]).not.toHaveProperty('leaseUntil');
    expect(history.map(({ action }) => action)).toEqual(['on']);
  });

  it('reports a window that could not be left on, and when it ends', async () => {
    const { result, fail } = await begin({ onFailure: 'keep' });
    storage.fail(down);
    fail(new Error('disk full'));
    await expect(result).rejects.toThrow('disk full');
    expect(leftOpen).toEqual([[expect.any(String), clock.now() + LEASE_TIMES.durationMs, expect.anything()]]);
  });

  it("does not touch an operator's window or that of other work", async () => {
    await operator().change((windows, now) => openWindow(windows, { scope: '*', mode: 'full' }, now, 'anns'), byAnn);
    const before = (await stored()).windows;
    const one = await begin();
    const other = await begin();
    expect((await stored()).windows).toHaveLength(3);
    one.end();
    await one.result;
    expect((await stored()).windows).toHaveLength(2);
    await clock.moveTo(at(120));
    expect(other.signal.aborted).toBe(false);
    expect(monitor.getSnapshot().active).toHaveLength(2);
    other.end();
    await other.result;
    expect((await stored()).windows).toEqual(before);
  });

  it('renews the lease while the work runs, without history entries', async () => {
    const waiting = clock.pending;
    const { result, signal, end } = await begin();
    const { history } = await stored();
    for (let seconds = 1; seconds <= 600; seconds++) {
      await clock.moveTo(at(seconds));
      const { windows } = await stored();
      const left = Date.parse(windows[0]!.leaseUntil!) - clock.now();
      expect(left).toBeGreaterThanOrEqual(40_000);
      expect(left).toBeLessThanOrEqual(60_000);
    }
    expect(signal.aborted).toBe(false);
    expect(await stored()).toMatchObject({ revision: 1 + 600 / 20, history });
    end();
    await result;
    expect(clock.pending).toBe(waiting);
    expect(changes.observed).toBe(false);
  });

  it('aborts the work at `endsAt` with a reason', async () => {
    const { signal } = await begin({ endsAt: iso(130) });
    await clock.moveTo(at(130) - 1);
    expect(signal.aborted).toBe(false);
    await clock.moveTo(at(130));
    expect(signal.reason).toBeInstanceOf(MaintenanceAbortedError);
    expect(signal.reason.message).toMatch(`is over at ${iso(130)}, the end that it was given`);
    expect(monitor.getSnapshot().active).toEqual([]);
  });

  it.each([
    ['a later start', { startsAt: iso(60) }, /`during` starts its window at once.*leave `startsAt` out/],
    ['a recurrence', { recurrence: { cron: '0 3 * * 0', duration: 1000 } }, /leave `recurrence` out/],
    ['an end in the past', { endsAt: iso(-1) }, /is in the past/],
  ])('rejects %s without starting the work', async (_what, options, says) => {
    const work = jest.fn();
    await expect(owner.during(work, options, isDrained)).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidWindowError', message: expect.stringMatching(says) }),
    );
    expect(work).not.toHaveBeenCalled();
    expect(await storage.read()).toBeNull();
  });

  it('does not start the work if the window could not be started or took too long to start', async () => {
    const work = jest.fn();
    storage.fail(down);
    await expect(owner.during(work, {}, isDrained)).rejects.toThrow('the network is down');
    storage.fail(null);
    storage.after = { call: 'write', meanwhile: async () => clock.freeze(50) };
    await expect(owner.during(work, {}, isDrained)).rejects.toThrow(/could not be renewed/);
    expect(work).not.toHaveBeenCalled();
    expect((await stored()).windows).toEqual([]);
  });
});

describe('signal of a temporary window', () => {
  it('aborts 15 s before the last confirmed lease expires and names the storage error', async () => {
    const { signal } = await begin();
    await clock.moveTo(at(39));
    // The renewal at 20 s was the last one.
    storage.fail(down);
    await clock.moveTo(at(65) - 1);
    expect(signal.aborted).toBe(false);
    expect(monitor.getSnapshot().active).toHaveLength(1);
    await clock.moveTo(at(65));
    expect(signal.reason).toBeInstanceOf(MaintenanceAbortedError);
    expect(signal.reason.message).toMatch(
      new RegExp(`could not be renewed, so it is over at ${iso(80)}: .*the network is down`),
    );
    expect(signal.reason.cause).toBeInstanceOf(MaintenanceStorageError);
    expect(monitor.getSnapshot().active).toHaveLength(1);
    await clock.moveTo(at(80));
    expect(monitor.getSnapshot().active).toEqual([]);
  });

  it('aborts in time if the storage never answers', async () => {
    const { signal } = await begin();
    storage.reads = () => new Promise(() => undefined);
    await clock.moveTo(at(45));
    expect(signal.reason.message).toMatch(/could not be renewed.*no answer within 10 s/);
  });

  it('does not abort if the storage recovers in time', async () => {
    const { signal } = await begin();
    storage.fail(down);
    await clock.moveTo(at(42));
    storage.fail(null);
    await clock.moveTo(at(600));
    expect(signal.aborted).toBe(false);
    expect(monitor.getSnapshot().active).toHaveLength(1);
  });

  it.each([
    ['is notified', true, 1],
    ['finds out while renewing', false, 20],
  ])(
    'aborts when an operator ends the window and the instance %s, and does not restart the window',
    async (_how, watches, seconds) => {
      await monitor.stop();
      owner = await ownerOn(watches);
      const { signal, result, end } = await begin();
      await turnOff();
      await clock.moveTo(at(seconds));
      expect(signal.reason.message).toMatch(/ was turned off by ann@ops-1 \(cli\) at 2026-12-01T02:00:00\.000Z/);
      const { revision } = await stored();
      await clock.moveTo(at(600));
      end();
      await result;
      expect(await stored()).toMatchObject({ revision, windows: [] });
    },
  );

  it.each([
    ['the renewal read the state', 'read', 0],
    ['the renewal wrote the state', 'write', 0],
    ['the monitor read the new state', 'read', 1],
    ['the renewal read the state back', 'read', 2],
  ] as const)('aborts if an operator ends the window during a renewal: after %s', async (_when, call, skip) => {
    const { signal } = await begin();
    // Between two looks of the monitor.
    await clock.moveTo(at(20) - 1);
    storage.after = { call, skip, meanwhile: turnOff };
    await clock.moveTo(at(21));
    // Writers that meet wait for a moment by the system's clock.
    if (!signal.aborted) await once(signal, 'abort');
    expect(signal.reason.message).toMatch(/ was turned off by ann@ops-1/);
    await clock.moveTo(at(600));
    expect((await stored()).windows).toEqual([]);
  });

  it.each([
    ['removed', () => storage.clear(), /is gone: this process holds nothing/],
    [
      'replaced by hand',
      () => storage.put('0'),
      /is gone: this process holds revision 0, whose history does not record its end/,
    ],
    [
      'lost',
      () => (storage.reads = () => Promise.reject(new MaintenanceStorageError('lost', 'it was there, and is gone'))),
      /is gone, with the state in which it was: .*it was there, and is gone/,
    ],
  ])('aborts if the state was %s', async (_what, happens, says) => {
    const { signal, result, end } = await begin();
    happens();
    await clock.moveTo(at(20));
    expect(signal.reason.message).toMatch(says);
    end();
    await result;
    expect(leftOpen).toEqual([]);
  });

  it('aborts if the process was suspended for longer than the lease, and does not restart the window', async () => {
    const { signal } = await begin();
    clock.freeze(61);
    await clock.moveTo(at(20));
    expect(signal.reason.message).toMatch(/was not renewed in time\. It is now .* the process was suspended/);
    await clock.moveTo(at(600));
    expect(monitor.getSnapshot().active).toEqual([]);
  });
});

describe('temporary window that cannot be ended', () => {
  it('is reported with the end of its lease while the work settles as usual', async () => {
    const { result, end } = await begin();
    await clock.moveTo(at(30));
    storage.fail(down);
    end('moved');
    await expect(result).resolves.toBe('moved');
    expect(leftOpen).toEqual([
      [
        expect.any(String),
        at(80),
        expect.objectContaining({ message: expect.stringContaining('the network is down') }),
      ],
    ]);
    await clock.moveTo(at(79));
    expect(monitor.getSnapshot().active).toHaveLength(1);
    await clock.moveTo(at(80));
    expect(monitor.getSnapshot().active).toEqual([]);
  });

  it('is not renewed by a renewal in progress', async () => {
    const { result, end } = await begin();
    const found = await storage.read();
    let answer = (): void => undefined;
    storage.reads = () => {
      storage.reads = null;
      return new Promise((resolve) => (answer = () => resolve(found)));
    };
    await monitor.stop();
    await clock.moveTo(at(20));
    storage.fail(down);
    end();
    await result;
    expect(leftOpen).toEqual([[expect.any(String), at(60), expect.any(Error)]]);
    storage.fail(null);
    answer();
    await turn();
    expect((await stored()).windows).toMatchObject([{ leaseUntil: iso(60) }]);
  });

  it('takes into account a renewal that may have taken effect', async () => {
    const { result, end } = await begin();
    await clock.moveTo(at(19));
    storage.after = { call: 'write', meanwhile: async () => storage.fail(down) };
    await clock.moveTo(at(21));
    end();
    await result;
    expect(leftOpen).toEqual([[expect.any(String), at(80), expect.any(Error)]]);
  });
});

describe('temporary windows at shutdown', () => {
  it('aborts the work and waits until its window has ended', async () => {
    const { signal, result, fail } = await begin();
    signal.addEventListener('abort', () => setImmediate(() => fail(signal.reason)));
    shutdown.abort(new MaintenanceAbortedError('The application shuts down.'));
    await owner.waitForRunning();
    await expect(result).rejects.toThrow('The application shuts down.');
    expect((await stored()).windows).toEqual([]);
  });

  it('waits only for the time limit for work that ignores the signal', async () => {
    await monitor.stop();
    owner = await ownerOn(true, 50);
    const { signal } = await begin();
    shutdown.abort(new MaintenanceAbortedError('The application shuts down.'));
    await owner.waitForRunning();
    expect(signal.aborted).toBe(true);
  });

  it('rejects new work', async () => {
    shutdown.abort(new MaintenanceAbortedError('The application shuts down.'));
    const work = jest.fn();
    await expect(owner.during(work, {}, isDrained)).rejects.toThrow('The application shuts down.');
    expect(work).not.toHaveBeenCalled();
    expect(await storage.read()).toBeNull();
  });
});
