import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { describeStateStorage } from './describe-state-storage.js';
import { MemoryStateStorage } from './memory-state-storage.js';

const STATE = { format: 1 as const, lineage: 'spec', revision: 1, windows: [], history: [] };

function createReport(seenAt: string) {
  return { id: 'a', host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt };
}

describeStateStorage('MemoryStateStorage', () => {
  const reportTtl = 100;
  const storage = new MemoryStateStorage({ reportTtl });
  return { storage, put: (text) => storage.put(text), reportTtl };
});

// describeStateStorage also accepts a storage without hooks.
describeStateStorage('MemoryStateStorage without hooks', async () => new MemoryStateStorage());

describe('MemoryStateStorage', () => {
  it('rejects every call with the error given to fail() until fail(null)', async () => {
    const storage = new MemoryStateStorage();
    const version = await storage.write(STATE, null);
    const error = new MaintenanceStorageError('unavailable', 'the network is down');
    storage.fail(error);
    await expect(storage.read()).rejects.toBe(error);
    await expect(storage.write({ ...STATE, revision: 2 }, version)).rejects.toBe(error);
    await expect(storage.report(createReport(new Date().toISOString()))).rejects.toBe(error);
    await expect(storage.reports()).rejects.toBe(error);
    storage.fail(null);
    await expect(storage.read()).resolves.toEqual({ state: STATE, version });
    await expect(storage.reports()).resolves.toEqual([]);
  });

  it('is empty after clear() and calls the watch callbacks', async () => {
    const storage = new MemoryStateStorage();
    await storage.write(STATE, null);
    const changed = jest.fn();
    await storage.watch(changed);
    storage.clear();
    await expect(storage.read()).resolves.toBeNull();
    expect(changed).toHaveBeenCalledTimes(1);
    await expect(storage.write(STATE, null)).resolves.toEqual(expect.any(String));
  });

  it('drops expired reports according to the `now` option', async () => {
    let now = Date.parse('2026-12-01T00:00:00Z');
    const storage = new MemoryStateStorage({ reportTtl: 1000, now: () => now });
    await storage.report(createReport('2026-12-01T00:00:00Z'));
    now += 999;
    await expect(storage.reports()).resolves.toHaveLength(1);
    now += 1;
    await expect(storage.reports()).resolves.toHaveLength(0);
  });
});
