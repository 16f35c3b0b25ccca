import { endWindows, shouldEndAll, openWindow } from '../core/window-changes.js';
import type { DisableOptions } from '../core/window-options.js';
import { ManualClock } from '../testing/manual-clock.js';
import { MemoryStateStorage } from '../testing/memory-state-storage.js';
import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { StateWriter } from './state-writer.js';

const clock = new ManualClock('2026-12-01T00:00Z');
const fields = { scope: '*', mode: 'full' as const };
const off = (storage: MemoryStateStorage, which: DisableOptions = {}): Promise<unknown> =>
  new StateWriter(storage, clock).change(
    (windows, now) => endWindows(windows, which, now),
    { via: 'code' },
    { repairs: shouldEndAll(which) },
  );

/** A storage that reports its content as lost until the next write. */
class LostStorage extends MemoryStateStorage {
  #isLost = true;

  override read(): ReturnType<MemoryStateStorage['read']> {
    if (this.#isLost) return Promise.reject(new MaintenanceStorageError('lost', 'it was there, and is gone'));
    return super.read();
  }

  override write(...args: Parameters<MemoryStateStorage['write']>): Promise<string> {
    this.#isLost = false;
    return super.write(...args);
  }
}

it('writes a state after the stored one was lost, even if there is no window to end', async () => {
  const storage = new LostStorage();
  await off(storage);
  await expect(storage.read()).resolves.toMatchObject({ state: { revision: 1, windows: [] } });
});

it.each([
  ['a corrupt state', false],
  ['the content of another program', true],
])('tells whether --force has replaced %s', async (_title, isForeign) => {
  class CorruptStorage extends MemoryStateStorage {
    #isCorrupt = true;

    override read(): ReturnType<MemoryStateStorage['read']> {
      if (!this.#isCorrupt) return super.read();
      return Promise.reject(new MaintenanceStorageError('corrupt', 'not a state', { version: 'v', isForeign }));
    }

    override write(next: Parameters<MemoryStateStorage['write']>[0]): Promise<string> {
      this.#isCorrupt = false;
      return super.write(next, null);
    }
  }
  const writer = new StateWriter(new CorruptStorage(), clock, true);
  const written = await writer.change((windows, now) => openWindow(windows, fields, now, 'a1'), { via: 'cli' });
  expect(written).toMatchObject({ replacedCorrupt: true, replacedForeign: isForeign });
});

it('rejects ending single windows of a lost state', async () => {
  await expect(off(new LostStorage(), { scope: 'payments' })).rejects.toMatchObject({ code: 'lost' });
  await expect(off(new LostStorage(), { id: 'a1' })).rejects.toMatchObject({ code: 'lost' });
});

it('writes a state if a volatile storage is empty', async () => {
  class VolatileStorage extends MemoryStateStorage {
    readonly isVolatile = true;
  }
  const storage = new VolatileStorage();
  await off(storage, { scope: 'payments' });
  await expect(storage.read()).resolves.toBeNull();
  await off(storage);
  await off(storage);
  await expect(storage.read()).resolves.toMatchObject({ state: { revision: 1, windows: [] } });
});

it('writes nothing if the storage is empty and there is no window to end', async () => {
  const storage = new MemoryStateStorage();
  await off(storage);
  await expect(storage.read()).resolves.toBeNull();
});

it('loses no change of concurrent writers', async () => {
  const storage = new MemoryStateStorage();
  const writers = Array.from({ length: 20 }, (_, index) =>
    new StateWriter(storage, clock).change(
      (windows, now) => openWindow(windows, { ...fields, scope: `part ${index}` }, now, String(index)),
      { via: 'code' },
    ),
  );
  await Promise.all(writers);
  const found = await storage.read();
  expect(found?.state).toMatchObject({ revision: 20 });
  expect(found?.state.windows).toHaveLength(20);
});
