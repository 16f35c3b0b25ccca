import { MaintenanceStorageError } from '../errors/maintenance-storage.error.js';
import { describeStateStorage } from './describe-state-storage.js';
import { MemoryStateStorage } from './memory-state-storage.js';

const STATE = { format: 1 as const, lineage: 'spec', revision: 1, windows: [], history: [] };

function reportAt(seenAt: string) {
  return { id: 'a', host: 'h', pid: 1, lineage: null, revision: 0, inFlight: 0, streams: 0, seenAt };
}

describeStateStorage('MemoryStateStorage', () => {
  const reportTtl = 100;
  const storage = new MemoryStateStorage({ reportTtl });
  return { storage, put: (text) => storage.put(text), reportTtl };
});

// The kit takes a bare storage as well.
describeStateStorage('MemoryStateStorage, bare', async () => new MemoryStateStorage());

describe('MemoryStateStorage', () => {
  it('fails every call with the error it was given, until that is taken back', async () => {
    const storage = new MemoryStateStorage();
    const version = await storage.write(STATE, null);
    const error = new MaintenanceStorageError('unavailable', 'the network is down');
    storage.fail(error);
    await expect(storage.read()).rejects.toBe(error);
    await expect(storage.write({ ...STATE, revision: 2 }, version)).rejects.toBe(error);
    await expect(storage.report(reportAt(new Date().toISOString()))).rejects.toBe(error);
    await expect(storage.reports()).rejects.toBe(error);
    storage.fail(null);
    await expect(storage.read()).resolves.toEqual({ state: STATE, version });
    await expect(storage.reports()).resolves.toEqual([]);
  });

  it('is empty after clear, and tells those who watch', async () => {
    const storage = new MemoryStateStorage();
    await storage.write(STATE, null);
    const changed = jest.fn();
    await storage.watch(changed);
    storage.clear();
    await expect(storage.read()).resolves.toBeNull();
    expect(changed).toHaveBeenCalledTimes(1);
    await expect(storage.write(STATE, null)).resolves.toEqual(expect.any(String));
  });

  it('forgets reports by the clock that it was given', async () => {
    let now = Date.parse('2026-12-01T00:00:00Z');
    const storage = new MemoryStateStorage({ reportTtl: 1000, now: () => now });
    await storage.report(reportAt('2026-12-01T00:00:00Z'));
    now += 999;
    await expect(storage.reports()).resolves.toHaveLength(1);
    now += 1;
    await expect(storage.reports()).resolves.toHaveLength(0);
  });
});
